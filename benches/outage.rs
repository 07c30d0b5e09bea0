//! Whether a commit gets slower when PostgreSQL is away: `cargo bench --bench outage --all-features`. With settings
//! behind `--`: rounds (20), milliseconds a window (2000), commits a second (1000).
//!
//! Measure: eight tasks commit at a steady pace to a store with an audit trail, while a writer in the same process
//! drains it. Windows with PostgreSQL `up`, `up` again, `stopped` (killed: connections are refused), `hung` (SIGSTOP:
//! connections are taken and nobody answers), and with `no writer` at all; each round in the opposite order of the
//! last. Between them PostgreSQL comes back and the queue drains. Of each round the ratio of the percentiles to those of
//! `up`, and to those of `no writer`; of those the median. `up again` is the noise. `no writer` is the stricter measure:
//! with `up`, PostgreSQL works on the same cores. A commit that begins late, since the one before it took long, counts
//! from when it should have begun.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

#[allow(dead_code, reason = "no cluster and no events here")]
mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use cloakroom::{
    audit::{self, AuditPool, AuditWriter},
    store::RedisStore,
};
use report::{
    Results, is_smoke,
    statistics::{median, quantile},
};
use serde_json::json;
use servers::Postgres;
use support::{Commits, Place, begin};
use tokio::task::JoinSet;

const TASKS: usize = 8;
const STATES: [&str; 5] = ["up", "up again", "stopped", "hung", "no writer"];
const UP: usize = 0;
const NO_WRITER: usize = 4;

/// Of one window: microseconds, and bytes.
#[derive(Clone, Copy, Debug)]
struct Window {
    p50: f64,
    p99: f64,
    grown: f64,
    commits: usize,
    /// How many of them still wait at its end.
    waiting: u64,
}

#[tokio::main]
async fn main() {
    // cargo adds `--bench` to what was asked for.
    let given: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let arg = |n: usize, default| given.get(n).copied().unwrap_or(default);
    let smoke = is_smoke();
    let (rounds, millis) = (arg(0, if smoke { 1 } else { 20 }), arg(1, if smoke { 100 } else { 2000 }));
    let rate = arg(2, if smoke { 200 } else { 1000 });
    let mut results = Results::start("outage", smoke).unwrap();

    let mut postgres = Postgres::start().unwrap();
    let place = Place::One(servers::Redis::start().unwrap());
    let store = place.store("audited", true).await;
    let mut subjects = Vec::new();
    for nth in 0..TASKS {
        let at = begin(&store, nth * 7, 8, &format!("\"{}\"", "x".repeat(62))).await;
        subjects.push(Commits::of(&store, at).await);
    }
    let pool = AuditPool::new(postgres.url()).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    let write = || {
        let writer = AuditWriter::new(store.audit_queue(), pool.clone());
        (writer.stop_handle(), tokio::spawn(writer.run()))
    };
    let mut writer = write();

    let mut windows: [Vec<Window>; STATES.len()] = Default::default();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..STATES.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for state in order {
            drained(&store).await;
            match STATES[state] {
                "stopped" => postgres.kill().unwrap(),
                "hung" => postgres.pause().unwrap(),
                "no writer" => {
                    writer.0.stop();
                    assert!((&mut writer.1).await.unwrap().flushed);
                }
                _ => {}
            }
            let window = measure(&place, &store, &mut subjects, rate, Duration::from_millis(millis)).await;
            match STATES[state] {
                "stopped" => postgres.restart().unwrap(),
                "hung" => postgres.resume().unwrap(),
                "no writer" => writer = write(),
                _ => {}
            }
            let numbers = json!({
                "state": STATES[state], "round": round, "p50_us": window.p50, "p99_us": window.p99,
                "commits": window.commits, "waiting": window.waiting, "grown": window.grown, "rate": rate,
            });
            results.add("window", numbers).unwrap();
            windows[state].push(window);
        }
    }
    drained(&store).await;
    writer.0.stop();
    assert!(writer.1.await.unwrap().flushed);
    // The sessions' beginnings are in the trail, too.
    let committed = TASKS + windows.iter().flatten().map(|window| window.commits).sum::<usize>();
    let stored = postgres.psql("SELECT count(*) FROM cloakroom.session_event").unwrap();
    assert_eq!(stored, committed.to_string(), "commits and rows of the trail");

    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{rate} commits/s by {TASKS} tasks, {rounds} rounds of {millis} ms; load {}", load.trim());
    println!(
        "{:<10} {:>8} {:>8} {:>9} {:>9} {:>16} {:>16} {:>8} {:>15}",
        "PostgreSQL",
        "p50 µs",
        "p99 µs",
        "p50 × up",
        "p99 × up",
        "p50 × no writer",
        "p99 × no writer",
        "waiting",
        "Redis' memory"
    );
    for (state, of_state) in STATES.iter().zip(&windows) {
        let middle = |figure: fn(&Window) -> f64| median(&of_state.iter().map(figure).collect::<Vec<_>>());
        let ratio = |base: usize, figure: fn(&Window) -> f64| {
            let rounds = of_state.iter().zip(&windows[base]);
            median(&rounds.map(|(window, base)| figure(window) / figure(base)).collect::<Vec<_>>())
        };
        let (p50, p99) = (|window: &Window| window.p50, |window: &Window| window.p99);
        println!(
            "{state:<10} {:>8.0} {:>8.0} {:>9.2} {:>9.2} {:>16.2} {:>16.2} {:>8.0} {:>12.0} KB",
            middle(p50),
            middle(p99),
            ratio(UP, p50),
            ratio(UP, p99),
            ratio(NO_WRITER, p50),
            ratio(NO_WRITER, p99),
            middle(|window| window.waiting as f64),
            middle(|window| window.grown) / 1e3,
        );
    }
}

async fn measure(
    place: &Place,
    store: &RedisStore,
    subjects: &mut Vec<Commits>,
    rate: u64,
    lasting: Duration,
) -> Window {
    let before = memory(place);
    let period = Duration::from_secs(1) * TASKS as u32 / rate as u32;
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for (nth, mut commits) in subjects.drain(..).enumerate() {
        let store = store.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            let mut due = start + period * nth as u32 / TASKS as u32;
            while due - start < lasting {
                let late = Instant::now() > due;
                tokio::time::sleep_until(due.into()).await;
                // The timer's own lateness, up to a millisecond, is not the commit's.
                let began = if late { due } else { Instant::now() };
                commits.run(&store).await;
                latencies.push(began.elapsed().as_nanos() as f64 / 1e3);
                due += period;
            }
            (commits, latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (commits, of_task) = task.unwrap();
        subjects.push(commits);
        latencies.extend(of_task);
    }
    Window {
        p50: median(&latencies),
        p99: quantile(&latencies, 0.99),
        grown: memory(place) - before,
        commits: latencies.len(),
        waiting: store.audit_queue().status().await.unwrap().entries(),
    }
}

/// Waits until the writer has stored all that was committed.
async fn drained(store: &RedisStore) {
    let (queue, deadline) = (store.audit_queue(), Instant::now() + Duration::from_secs(60));
    while !queue.is_empty().await.unwrap() {
        assert!(Instant::now() < deadline, "the writer does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn memory(place: &Place) -> f64 {
    let info = place.nodes()[0].command(&["INFO", "memory"]).unwrap();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()).unwrap()
}
