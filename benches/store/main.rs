//! What a load and a commit cost, as ratios to a bare `GET` of the same number of bytes on the same kind of
//! connection in the same run: `cargo bench --bench store`. Pin it for latency: `taskset -c 0 cargo bench --bench store`.
//!
//! Measure: windows of each operation in turn, round after round; of each round the ratio of the medians, of those
//! the median. `BENCH_ROUNDS` (10) and `BENCH_MILLIS` (40, a window) change how long it takes. A second `GET` is
//! measured like the others: how far it is from 1 is the noise. The servers are private ones. Everything is in
//! `target/measured/store.jsonl`.
//!
//! For `perf` or callgrind, `BENCH_OPERATION='commit, all' BENCH_TASKS=64 BENCH_BYTES=600` measures that and `GET` alone,
//! on one server; build it with `CARGO_PROFILE_BENCH_DEBUG=1`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

mod floor;
mod only;
#[allow(dead_code, reason = "no events here")]
#[path = "../support/mod.rs"]
mod support;
mod window;

use std::time::Duration;

use floor::Floor;
use only::Only;
use report::{Results, is_smoke, statistics::median};
use serde_json::json;
use support::{Commits, Place, begin};
use window::{OPERATIONS, Subject, Window};

const TASKS: [usize; 3] = [1, 8, 64];

/// Sessions that are committed to, of each store: so many, or as many as take so many bytes.
const SESSIONS: usize = 4096;
const POOL: usize = 64 << 20;

fn main() {
    // One thread: the cost of one is to be seen, and not how well two share the machine with Redis.
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
}

async fn run() {
    let smoke = is_smoke();
    let number = |name, or| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (rounds, millis) =
        if smoke { (1, 2) } else { (number("BENCH_ROUNDS", 10), number("BENCH_MILLIS", 40)) };
    let mut results = Results::start("store", smoke).unwrap();
    let only = Only::asked();
    let everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
    for name in ["plain", "AOF everysec", "cluster of 3"] {
        // One after the other: idle servers would take a little time, too.
        let place = match name {
            "plain" => Place::One(servers::Redis::start().unwrap()),
            _ if !only.is_all() => continue,
            "AOF everysec" => Place::One(servers::Redis::with(&everysec).unwrap()),
            _ => Place::Cluster(servers::Cluster::start(3).unwrap()),
        };
        measure(name, &place, rounds, millis, &only, &mut results).await;
    }
}

async fn measure(name: &str, place: &Place, rounds: u64, millis: u64, only: &Only, results: &mut Results) {
    let operations = only.operations();
    let stores = [
        place.store("plain", false).await,
        place.store("audited", true).await,
        place.telling_all("all").await,
    ];
    println!(
        "\n{name}: p50 as a ratio to GET; in brackets p99 in µs; CPU of Redis and of the client, µs each"
    );
    let names: String = operations.iter().map(|one| format!("{:>26}", OPERATIONS[*one])).collect();
    println!("{:>6} {:>5}  {names}", "bytes", "tasks");
    for (keys, bytes) in [(8, 75), (8, 1024), (8, 8192)] {
        if only.bytes.is_some_and(|bytes_of| bytes_of != keys * bytes) {
            continue;
        }
        let value = format!("\"{}\"", "x".repeat(bytes - 2));
        let mut pools = [Vec::new(), Vec::new(), Vec::new()];
        for (store, pool) in stores.iter().zip(&mut pools) {
            for nth in 0..if is_smoke() { TASKS[2] } else { (POOL / (keys * bytes)).min(SESSIONS) } {
                let at = begin(store, nth * 7, keys, &value).await;
                pool.push(Commits::of(store, at).await);
            }
        }
        for tasks in TASKS.into_iter().filter(|tasks| only.tasks.is_none_or(|only| only == *tasks)) {
            let mut subjects = Vec::new();
            let mut bare = place.bare().await;
            for nth in 0..tasks {
                let key = format!("bare-{nth}");
                bare.set(&key, &value.repeat(keys)).await;
                let share = |pool: &mut Vec<Commits>| pool.split_off(pool.len() - pool.len() / (tasks - nth));
                let commits = pools.each_mut().map(share);
                subjects.push(Subject {
                    bare: bare.clone(),
                    key,
                    floor: Floor::of(bare.clone(), nth, commits[0].len(), keys, &value).await,
                    stores: stores.clone(),
                    at: begin(&stores[0], nth * 7, keys, &value).await,
                    commits,
                    turn: 0,
                });
            }
            // The first of each makes connections and teaches the scripts.
            for &operation in &operations {
                window::run(place, &mut subjects, operation, Duration::from_millis(2)).await;
            }
            let mut windows: [Vec<Window>; OPERATIONS.len()] = Default::default();
            for round in 0..rounds {
                for turn in 0..operations.len() {
                    // Another one begins each round.
                    let operation = operations[(turn + round as usize) % operations.len()];
                    place.drain();
                    let window =
                        window::run(place, &mut subjects, operation, Duration::from_millis(millis)).await;
                    windows[operation].push(window);
                }
            }
            for subject in subjects {
                for (pool, commits) in pools.iter_mut().zip(subject.commits) {
                    pool.extend(commits);
                }
            }
            print!("{:>6} {tasks:>5}  ", keys * bytes);
            for &operation in &operations {
                let name_of = OPERATIONS[operation];
                let of =
                    |of: fn(&Window) -> f64| median(&windows[operation].iter().map(of).collect::<Vec<_>>());
                let pairs = windows[operation].iter().zip(&windows[0]);
                let ratios: Vec<f64> = pairs.map(|(window, get)| window.p50 / get.p50).collect();
                let ratio = median(&ratios);
                let (p50, p99, redis, client) =
                    (of(|w| w.p50), of(|w| w.p99), of(|w| w.redis_cpu), of(|w| w.client_cpu));
                print!("{:>26}", format!("{ratio:.2} ({p99:.0}) {redis:.1} {client:.1}"));
                let numbers = json!({
                    "place": name, "bytes": keys * bytes, "tasks": tasks, "operation": name_of,
                    "ratio": ratio, "p50_us": p50, "p99_us": p99, "per_second": of(|w| w.per_second),
                    "redis_cpu_us": redis, "client_cpu_us": client, "ratios": ratios,
                });
                results.add("operation", numbers).unwrap();
            }
            println!();
        }
    }
}
