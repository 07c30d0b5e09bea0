//! What a load and a commit cost, as ratios to a bare `GET` of the same number of bytes on the same kind of
//! connection in the same run: `cargo bench --bench store`. Pin it for latency: `taskset -c 0 cargo bench --bench store`.
//!
//! Measure: windows of each operation in turn, round after round; of each round the ratio of the medians, of those
//! the median. `BENCH_ROUNDS` (10) and `BENCH_MILLIS` (40, a window) change how long it takes. A second `GET` is
//! measured like the others: how far it is from 1 is the noise. The servers are private ones. Everything is in
//! `target/measured/store.jsonl`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

#[allow(dead_code, reason = "no events here")]
#[path = "../support/mod.rs"]
mod support;
mod window;

use std::time::Duration;

use report::{Results, is_smoke, statistics::median};
use serde_json::json;
use support::{Commits, Place, begin};
use window::{OPERATIONS, Subject, Window};

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
    let everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
    // One after the other: idle servers would take a little time, too.
    measure("plain", &Place::One(servers::Redis::start().unwrap()), rounds, millis, &mut results).await;
    measure(
        "AOF everysec",
        &Place::One(servers::Redis::with(&everysec).unwrap()),
        rounds,
        millis,
        &mut results,
    )
    .await;
    measure(
        "cluster of 3",
        &Place::Cluster(servers::Cluster::start(3).unwrap()),
        rounds,
        millis,
        &mut results,
    )
    .await;
}

async fn measure(name: &str, place: &Place, rounds: u64, millis: u64, results: &mut Results) {
    let (plain, audited) = (place.store("plain", false).await, place.store("audited", true).await);
    println!(
        "\n{name}: p50 as a ratio to GET; in brackets p99 in µs; CPU of Redis and of the client, µs each"
    );
    println!("{:>6} {:>5}  {}", "bytes", "tasks", OPERATIONS.map(|name| format!("{name:>31}")).concat());
    for (keys, bytes) in [(8, 75), (8, 1024), (8, 8192)] {
        let value = format!("\"{}\"", "x".repeat(bytes - 2));
        for tasks in [1, 8, 64] {
            let mut subjects = Vec::new();
            let mut bare = place.bare().await;
            for nth in 0..tasks {
                let key = format!("bare-{nth}");
                bare.set(&key, &value.repeat(keys)).await;
                let (one, other) = (
                    begin(&plain, nth * 7, keys, &value).await,
                    begin(&audited, nth * 7, keys, &value).await,
                );
                let commits = [Commits::of(&plain, one).await, Commits::of(&audited, other).await];
                subjects.push(Subject {
                    bare: bare.clone(),
                    key,
                    stores: [plain.clone(), audited.clone()],
                    at: one,
                    commits,
                });
            }
            // The first of each makes connections and teaches the scripts.
            for operation in 0..OPERATIONS.len() {
                window::run(place, &mut subjects, operation, Duration::from_millis(2)).await;
            }
            let mut windows: [Vec<Window>; OPERATIONS.len()] = Default::default();
            for round in 0..rounds {
                for turn in 0..OPERATIONS.len() {
                    // Another one begins each round.
                    let operation = (turn + round as usize) % OPERATIONS.len();
                    let window =
                        window::run(place, &mut subjects, operation, Duration::from_millis(millis)).await;
                    windows[operation].push(window);
                }
            }
            print!("{:>6} {tasks:>5}  ", keys * bytes);
            for (operation, name_of) in OPERATIONS.iter().enumerate() {
                let of =
                    |of: fn(&Window) -> f64| median(&windows[operation].iter().map(of).collect::<Vec<_>>());
                let pairs = windows[operation].iter().zip(&windows[0]);
                let ratios: Vec<f64> = pairs.map(|(window, get)| window.p50 / get.p50).collect();
                let ratio = median(&ratios);
                let (p50, p99, redis, client) =
                    (of(|w| w.p50), of(|w| w.p99), of(|w| w.redis_cpu), of(|w| w.client_cpu));
                print!("{:>31}", format!("{ratio:.2} ({p99:.0}) {redis:.1} {client:.1}"));
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
