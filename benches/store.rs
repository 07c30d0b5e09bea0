//! What a load and a commit cost, as ratios to a bare `GET` on the same kind of connection in the same
//! run: `cargo bench --bench store`. Pin it for latency: `taskset -c 0 cargo bench --bench store`.
//!
//! Measure: rounds of each operation in turn, one at a time; the median of each, and the ratio of the
//! medians. Noise: run it twice; differences under a tenth mean nothing. The server is a private one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom::{
    audit::RequestContext,
    id::{Address, EventId, IdleClass, SessionRef, ShardCount},
    record::{Change, Delta, FieldName, Json, Write},
    store::{Commit, Committed, Create, Created, Loaded, Policy, RedisStore, SessionStore as _, Touch},
};

const ROUNDS: usize = 4000;
const IDLE: Duration = Duration::from_secs(3600);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = servers::Redis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut bare = client.get_multiplexed_async_connection().await.unwrap();
    let plain = store(&server, "plain", false);
    let audited = store(&server, "audited", true);

    println!(
        "{:>7} {:>9} {:>12} {:>12} {:>12} {:>12}",
        "bytes", "GET µs", "load", "peek", "commit", "with audit"
    );
    for (keys, bytes) in [(8, 64), (8, 1024), (8, 8000)] {
        let value = format!("\"{}\"", "x".repeat(bytes - 2));
        let () = redis::cmd("SET").arg("bare").arg(value.repeat(keys)).query_async(&mut bare).await.unwrap();
        let mut sessions = Vec::new();
        for store in [&plain, &audited] {
            sessions.push(begin(store, keys, &value).await);
        }
        server.reset_stats().unwrap();
        let mut times: [Vec<Duration>; 5] = Default::default();
        for round in 0..ROUNDS {
            let start = Instant::now();
            let _: Vec<u8> = redis::cmd("GET").arg("bare").query_async(&mut bare).await.unwrap();
            times[0].push(start.elapsed());
            for (slot, touch) in [(1, Touch::Refresh), (2, Touch::Peek)] {
                let start = Instant::now();
                assert!(matches!(plain.load(sessions[0], touch, IDLE).await.unwrap(), Loaded::Found(_)));
                times[slot].push(start.elapsed());
            }
            for (slot, (store, at)) in
                [(&plain, sessions[0]), (&audited, sessions[1])].into_iter().enumerate()
            {
                let Loaded::Found(record) = store.load(at, Touch::Refresh, IDLE).await.unwrap() else {
                    panic!()
                };
                let commit = Commit {
                    at,
                    event: EventId::new(),
                    base: record.base,
                    delta: delta([("counter", round.to_string())]),
                    policy: Policy::Merge,
                    idle: IDLE,
                    renewal: None,
                    user: None,
                    context: Arc::new(RequestContext::default()),
                };
                let start = Instant::now();
                assert!(matches!(store.commit(&commit).await.unwrap(), Committed::Committed { .. }));
                times[3 + slot].push(start.elapsed());
            }
        }
        let [get, load, peek, commit, audit] = times.map(median);
        let ratio = |time: Duration| format!("{:.2} × GET", time.as_secs_f64() / get.as_secs_f64());
        println!(
            "{:>7} {:>9.1} {:>12} {:>12} {:>12} {:>12}",
            keys * bytes,
            get.as_secs_f64() * 1e6,
            ratio(load),
            ratio(peek),
            ratio(commit),
            ratio(audit)
        );
        println!("        server CPU, µs a call: {}", server_cpu(&server));
    }
}

/// What Redis says of its own time. A script's figure holds the commands that it calls.
fn server_cpu(server: &servers::Redis) -> String {
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let of = |command: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")))?;
        let time = line.split(',').find_map(|part| part.strip_prefix("usec_per_call="))?;
        Some(format!("{command} {time}"))
    };
    let commands = ["get", "hgetall", "pexpire", "pttl", "time", "evalsha"];
    commands.into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

fn store(server: &servers::Redis, namespace: &str, audit: bool) -> RedisStore {
    RedisStore::builder(server.url()).namespace(namespace).audit(audit).build().unwrap()
}

async fn begin(store: &RedisStore, keys: usize, value: &str) -> Address {
    let mut reference = [0; 32];
    reference.as_mut_slice()[..16].copy_from_slice(EventId::new().as_bytes());
    let shard = ShardCount::default().iter().next().unwrap();
    let at = Address { reference: SessionRef::from_bytes(reference), shard, class: IdleClass::default() };
    let create = Create {
        at,
        event: EventId::new(),
        idle: IDLE,
        absolute: IDLE * 24,
        sign_in: None,
        device: None,
        delta: delta((0..keys).map(|n| (format!("key-{n}"), value.to_owned()))),
        predecessor: None,
        context: Arc::new(RequestContext::default()),
    };
    assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
    at
}

fn delta<K: AsRef<str>>(values: impl IntoIterator<Item = (K, String)>) -> Delta {
    let changes = values.into_iter().map(|(name, value)| {
        let change = Change { write: Write::Set(Json::from_text(value)), watched: Some(true), secret: false };
        (FieldName::new(name.as_ref()).unwrap(), change)
    });
    Delta { clear: false, changes: changes.collect() }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
