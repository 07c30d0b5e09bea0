//! Whether a load or a commit costs more when there are more sessions, and what a session and a queued audit entry
//! take of Redis' memory: `cargo bench --bench growth`. `GROWTH_SESSIONS=10000,1000000,5000000` adds five millions
//! (4 GB).
//!
//! Measure: the server is filled with copies of a session as the store makes it (eight values of 64 bytes), under
//! keys as the store makes them, over all shards. When it has moved them to the tables that so many need, rounds of
//! `GET`, load and commit in turn, of sessions chosen at random among 1,000; the ratio of the medians. Memory is Redis'
//! `used_memory`, before and after, on a server that has nothing else. Then one user with 100, 1,000 and 10,000 sessions,
//! and sweeps that find as many whose time is up. The results are in `target/measured/growth.jsonl`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

#[allow(dead_code, reason = "no cluster here")]
#[path = "../support/mod.rs"]
mod support;
mod users;

use std::time::Instant;

use cloakroom::store::Touch;
use redis::aio::MultiplexedConnection;
use report::{
    Results, is_smoke,
    statistics::{median, quantile},
};
use serde_json::json;
use support::{Bare, Commits, Place, begin, load};

const KEYS: usize = 8;
/// As many as the rounds choose from: more than any cache of the processor's holds.
const SAMPLE: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let smoke = is_smoke();
    let given = std::env::var("GROWTH_SESSIONS").unwrap_or_else(|_| "10000,1000000".to_owned());
    let sizes = if smoke { "1500,3000" } else { &given };
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().unwrap()).collect();
    let (rounds, entries) = if smoke { (20, 100) } else { (5000, 50_000) };
    let mut results = Results::start("growth", smoke).unwrap();

    let place = Place::One(servers::Redis::start().unwrap());
    let store = place.store("plain", false).await;
    let value = format!("\"{}\"", "x".repeat(62));
    let mut sample = Vec::new();
    for nth in 0..SAMPLE {
        let at = begin(&store, nth, KEYS, &value).await;
        sample.push((at, Commits::of(&store, at).await));
    }
    let mut copies = Copies::of(&place).await;
    let mut bare = place.bare().await;
    bare.set("bare", &value.repeat(KEYS)).await;

    println!(
        "{:>9} {:>12} {:>8} {:>16} {:>16} {:>22}",
        "sessions", "bytes each", "GET µs", "load", "commit", "Redis CPU µs"
    );
    for sessions in sizes {
        let (before, had) = (memory(&place), copies.made);
        copies.grow_to(sessions.saturating_sub(SAMPLE)).await;
        let bytes = (memory(&place) - before) / (copies.made - had).max(1) as f64;
        settle(&mut bare, sessions).await;
        let mut times: [Vec<f64>; 3] = Default::default();
        let mut cpu = [0.0; 3];
        for round in 0..rounds {
            // Neighbours in the sample are not neighbours in Redis.
            let (at, commits) = &mut sample[(round * 7919) % SAMPLE];
            for (operation, times) in times.iter_mut().enumerate() {
                let (used, start) = (place.cpu(), Instant::now());
                match operation {
                    0 => bare.get("bare").await,
                    1 => drop(load(&store, *at, Touch::Refresh).await),
                    _ => commits.run(&store).await,
                }
                times.push(start.elapsed().as_nanos() as f64 / 1e3);
                cpu[operation] += place.cpu() - used;
            }
        }
        let [get, load, commit] = [0, 1, 2].map(|n| median(&times[n]));
        let [get_cpu, load_cpu, commit_cpu] = cpu.map(|cpu| cpu / rounds as f64);
        println!(
            "{sessions:>9} {bytes:>12.0} {get:>8.1} {:>16} {:>16} {:>22}",
            format!("{:.2} × GET", load / get),
            format!("{:.2} × GET", commit / get),
            format!("{load_cpu:.1} and {commit_cpu:.1}"),
        );
        let numbers = json!({
            "sessions": sessions, "bytes": bytes, "get_us": get, "load_us": load, "commit_us": commit,
            "load_p99_us": quantile(&times[1], 0.99), "commit_p99_us": quantile(&times[2], 0.99),
            "get_cpu_us": get_cpu, "load_cpu_us": load_cpu, "commit_cpu_us": commit_cpu,
        });
        results.add("sessions", numbers).unwrap();
    }
    let bytes = packed(entries, &value).await;
    println!("a session with hash-max-listpack-value 1024: {bytes:.0} bytes of Redis' memory");
    results.add("packed", json!({ "sessions": entries, "bytes": bytes })).unwrap();
    // As many as one shard takes before its budget is used up.
    let entries = entries.min(10_000);
    let bytes = queued(entries, &value).await;
    println!("a queued audit entry of a small change: {bytes:.0} bytes of Redis' memory");
    results.add("queued", json!({ "entries": entries, "bytes": bytes })).unwrap();
    users::run(&mut results, if smoke { &[10, 100] } else { &[100, 1000, 10_000] }).await;
}

/// Redis moves its keys to a larger table step by step, one at each look-up, and each look-up is slower until that is
/// done. It is after as many of them as there are sessions, in the table of keys and in the one of their ends.
async fn settle(bare: &mut Bare, sessions: usize) {
    const AT_ONCE: usize = 1000;
    bare.ask(redis::cmd("SET").arg("looked-up").arg(1).arg("EX").arg(3600)).await;
    let mut look = redis::cmd("EXISTS");
    look.arg(vec!["looked-up"; AT_ONCE]);
    for _ in 0..=sessions / AT_ONCE {
        bare.ask(&look).await;
    }
}

/// Bytes of a session with the setting that the documentation of `store::redis` names.
async fn packed(sessions: usize, value: &str) -> f64 {
    let place = Place::One(servers::Redis::start().unwrap());
    let node = &place.nodes()[0];
    node.command(&["CONFIG", "SET", "hash-max-listpack-value", "1024"]).unwrap();
    let store = place.store("plain", false).await;
    begin(&store, 0, KEYS, value).await;
    let mut copies = Copies::of(&place).await;
    let before = memory(&place);
    copies.grow_to(sessions).await;
    (memory(&place) - before) / sessions as f64
}

/// Bytes of Redis' memory for each audit entry that waits for PostgreSQL.
async fn queued(entries: usize, value: &str) -> f64 {
    let place = Place::One(servers::Redis::start().unwrap());
    let store = place.store("audited", true).await;
    let at = begin(&store, 0, KEYS, value).await;
    let mut commits = Commits::of(&store, at).await;
    let before = memory(&place);
    for _ in 0..entries {
        commits.run(&store).await;
    }
    let taken = memory(&place) - before;
    // And the one of its beginning: none was left out.
    assert_eq!(store.audit_queue().len().await.unwrap(), entries as u64 + 1);
    taken / entries as f64
}

fn memory(place: &Place) -> f64 {
    let info = place.nodes()[0].command(&["INFO", "memory"]).unwrap();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()).unwrap()
}

/// Sessions that nobody made one by one: a million scripts would take a minute.
struct Copies {
    connection: MultiplexedConnection,
    dump: Vec<u8>,
    /// What the keys of sessions begin with, shard by shard.
    starts: Vec<String>,
    made: usize,
}

impl Copies {
    async fn of(place: &Place) -> Self {
        let node = &place.nodes()[0];
        let client = redis::Client::open(node.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        // A copy takes minutes at most; the answer to a large pipeline may take a second.
        connection.set_response_timeout(std::time::Duration::from_secs(60));
        let epochs = node.command(&["KEYS", "plain:*:epoch"]).unwrap();
        let starts = epochs.lines().map(|key| key.replace(":epoch", ":s:")).collect();
        let found = node.command(&["KEYS", "plain:*:s:*"]).unwrap();
        let one = found.lines().next().unwrap();
        let dump = redis::cmd("DUMP").arg(one).query_async(&mut connection).await.unwrap();
        Self { connection, dump, starts, made: 0 }
    }

    async fn grow_to(&mut self, count: usize) {
        while self.made < count {
            let mut pipe = redis::pipe();
            for _ in 0..2000.min(count - self.made) {
                let key = format!("{}{:043x}", self.starts[self.made % self.starts.len()], self.made);
                // Not all at the same moment: each within the second hour.
                let ttl = 3_600_000 + self.made % 3_600_000;
                pipe.cmd("RESTORE").arg(key).arg(ttl).arg(&self.dump).ignore();
                self.made += 1;
            }
            let () = pipe.query_async(&mut self.connection).await.unwrap();
        }
    }
}
