//! An audit trail through BullMQ and through cloakroom's queue: how fast it drains into PostgreSQL, and what it
//! costs Redis. `cargo bench --bench bullmq --all-features`, with settings behind `--`: events (50000), rounds (3).
//! It needs node and npm.
//!
//! Measure: the same events into the same table with the same indexes, each way with a Redis and a PostgreSQL of its
//! own that have just started; each round goes through the ways in the opposite order of the last. The rate is from
//! the worker's start, connected, until the queue is empty. Then the table must hold every event once, and the same
//! rows as with the first way, or the run fails. Ours runs three times a round, of which the middle one counts. The
//! figure is the median of the rounds, the ratio the median of the ratios within each round. PostgreSQL does not sync
//! to disk, which is to the advantage of whoever commits more often: BullMQ with an INSERT each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

mod events;
mod meter;
mod node;
mod ours;

use std::fs;

use cloakroom::audit::{self, AuditPool};
use events::Event;
use meter::{Cost, Reading};
use node::Node;
use report::{Results, is_smoke, statistics::median};
use serde_json::json;

/// The ways in which BullMQ is used, see `drain.js`, and ours.
const WAYS: [(&str, &str); 4] = [
    ("one", "BullMQ, an INSERT each"),
    ("buffered", "BullMQ, a buffering worker"),
    ("manual", "BullMQ, batches by hand"),
    ("ours", "cloakroom"),
];

/// All but where the event waited and when it came.
const CONTENT: &str = "SELECT count(*) || ' ' || md5(string_agg(
    md5((to_jsonb(event) - '{shard, stream_id, ingested_at}'::text[])::text), '' ORDER BY event_id))
    FROM cloakroom.session_event AS event";

/// One way in one round.
#[derive(Clone, Copy, Debug)]
struct Measured {
    rate: f64,
    waiting: Cost,
    drained: Cost,
}

#[tokio::main]
async fn main() {
    // cargo adds `--bench` to what was asked for.
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let arg = |n: usize, default| given.get(n).copied().unwrap_or(default);
    let smoke = is_smoke();
    let (count, rounds) = (arg(0, if smoke { 500 } else { 50_000 }), arg(1, if smoke { 1 } else { 3 }));
    let node = match Node::install() {
        Ok(node) => Some(node),
        Err(why) if smoke => {
            eprintln!("bullmq: SKIPPED all of BullMQ: {why}");
            None
        }
        Err(why) => panic!("there is nothing to compare with: {why}"),
    };
    // Ours is done in a second or two, and then beside each of the others: no round hangs on one bad moment.
    let mut order = vec!["one", "ours", "buffered", "ours", "manual", "ours"];
    if node.is_none() {
        order.retain(|way| *way == "ours");
    }
    let versions = node.as_ref().map(Node::versions).unwrap_or_default();
    let mut results = Results::start("bullmq", smoke).unwrap();

    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); WAYS.len()];
    for round in 0..rounds {
        let events = events::make(count);
        let mut content = None;
        let mut this_round: [Vec<Measured>; WAYS.len()] = Default::default();
        for way in &order {
            let (this, rows) = measure(way, node.as_ref(), &events).await;
            assert!(rows.starts_with(&format!("{count} ")), "{way}: not every event is in the table: {rows}");
            assert_eq!(*content.get_or_insert_with(|| rows.clone()), rows, "{way}: other rows");
            let at = WAYS.iter().position(|(name, _)| name == way).unwrap();
            this_round[at].push(this);
            eprintln!("round {} {way}: {:.0}/s", round + 1, this.rate);
            let numbers = json!({
                "way": way, "round": round, "events": count, "per_second": this.rate, "versions": versions,
                "bytes": this.waiting.memory, "fill_cpu_us": this.waiting.cpu, "drain_cpu_us": this.drained.cpu,
                "fill_commands": this.waiting.commands, "drain_commands": this.drained.commands,
            });
            results.add("drained", numbers).unwrap();
        }
        for (of_way, mut tries) in measured.iter_mut().zip(this_round) {
            tries.sort_by(|one, other| one.rate.total_cmp(&other.rate));
            of_way.extend(tries.get(tries.len() / 2));
        }
        order.reverse();
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{count} events, {rounds} rounds, {versions}; fsync off; {cores} cores, load {}", load.trim());
    table(&measured);
}

async fn measure(way: &str, node: Option<&Node>, events: &[Event]) -> (Measured, String) {
    let (redis, postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let pool = AuditPool::new(postgres.url()).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    // The first event may be of last month.
    let months = "SELECT cloakroom.ensure_partitions(now() - interval '1 day', 2)";
    postgres.psql(months).unwrap();
    pool.close().await;

    // Scripts and keys that are there once and for all are not an entry's.
    let store = if way == "ours" { Some(ours::store(&redis).await) } else { None };
    let (count, empty) = (events.len(), Reading::of(&redis));
    match (&store, node) {
        (Some(_), _) => ours::fill(&redis, events).await,
        (None, Some(node)) => {
            let file = events::write(events, node.folder()).unwrap();
            node.fill(redis.port(), &file);
        }
        (None, None) => unreachable!("no node, no BullMQ"),
    }
    let full = Reading::of(&redis);
    let took = match (&store, node) {
        (Some(store), _) => ours::drain(store, &postgres.url(), count).await,
        (None, Some(node)) => node.drain(way, redis.port(), &postgres.url(), count),
        (None, None) => unreachable!("no node, no BullMQ"),
    };
    let drained = Reading::of(&redis);
    // Ours has some keys a shard for good; a job that stays would be one for each event.
    let left: usize = redis.command(&["DBSIZE"]).unwrap().parse().unwrap();
    assert!(left < 300, "{way}: {left} keys are left");
    let measured = Measured {
        rate: count as f64 / took,
        waiting: empty.cost_until(&full, count),
        drained: full.cost_until(&drained, count),
    };
    (measured, postgres.psql(CONTENT).unwrap())
}

/// A line for each way: its figures, and how many times as good ours is.
fn table(measured: &[Vec<Measured>]) {
    type Figure = fn(&Measured) -> f64;
    let figures: [(&str, Figure, bool); 4] = [
        ("entries/s", |way| way.rate, true),
        ("bytes waiting", |way| way.waiting.memory, false),
        ("Redis CPU µs", |way| way.waiting.cpu + way.drained.cpu, false),
        ("Redis commands", |way| way.waiting.commands + way.drained.commands, false),
    ];
    print!("{:<28}", "an entry, put in and drained");
    figures.iter().for_each(|(name, ..)| print!(" {:>24}", format!("{name} (ours ×)")));
    println!();
    let Some(ours) = measured.last() else { return };
    for ((_, name), rounds) in WAYS.iter().zip(measured).filter(|(_, rounds)| !rounds.is_empty()) {
        print!("{name:<28}");
        for (_, figure, more_is_better) in &figures {
            let ratios: Vec<f64> = rounds
                .iter()
                .zip(ours)
                .map(|(way, ours)| match more_is_better {
                    true => figure(ours) / figure(way),
                    false => figure(way) / figure(ours),
                })
                .collect();
            let middle = median(&rounds.iter().map(figure).collect::<Vec<f64>>());
            let digits = if middle < 100.0 { 1 } else { 0 };
            print!(" {:>24}", format!("{middle:.digits$} ({:.2})", median(&ratios)));
        }
        println!();
    }
}
