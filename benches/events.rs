//! From the change to whoever watches, as ratios to a bare `GET` in the same run: `cargo bench --bench events`; for
//! latency `taskset -c 0 cargo bench --bench events`.
//!
//! | line | from | to |
//! |---|---|---|
//! | `GET` | a bare `GET` is sent | its answer |
//! | `GET again` | the same: the noise | |
//! | `PUBLISH` | a bare `PUBLISH` is sent | a bare subscriber has it: the limit |
//! | `commit` | a commit without events is sent | its answer |
//! | `commit told` | a commit with events is sent | its answer |
//! | `received` | a commit with events is sent | a subscriber of ours has its event |
//!
//! What telling costs the commit is `commit told` less `commit`; what it takes beyond the commit's own script is
//! `received` less `commit`, plus half of a `GET`, the way of its answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a benchmark may stop, and needs a part of what is shared"
)]

mod support;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use cloakroom::{
    events::{Notice, SessionEvents, Watch},
    store::{RedisStore, SessionStore as _},
};
use futures_util::Stream as _;
use redis::aio::PubSubStream;
use report::{Results, is_smoke, statistics::median};
use serde_json::json;
use support::{Bare, Commits, Place, begin};

const LINES: [&str; 6] = ["GET", "GET again", "PUBLISH", "commit", "commit told", "received"];

struct Subject {
    bare: Bare,
    publisher: redis::aio::MultiplexedConnection,
    messages: PubSubStream,
    quiet: (RedisStore, Commits),
    telling: (RedisStore, Commits),
    events: SessionEvents,
}

fn main() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
}

async fn run() {
    let smoke = is_smoke();
    let (rounds, each) = if smoke { (2, 5) } else { (40, 250) };
    let mut results = Results::start("events", smoke).unwrap();
    for name in ["plain", "cluster of 3"] {
        let place = match name {
            "plain" => Place::One(servers::Redis::start().unwrap()),
            _ => Place::Cluster(servers::Cluster::start(3).unwrap()),
        };
        let mut subject = subject(&place).await;
        let mut rows: [Vec<[f64; 2]>; LINES.len()] = Default::default();
        for round in 0..rounds {
            for turn in 0..LINES.len() {
                let line = (turn + round) % LINES.len();
                rows[line].push(window(&mut subject, line, each).await);
            }
        }
        println!("\n{name}: p50 as a ratio to GET; p50 and p99 in µs");
        for (line, windows) in rows.iter().enumerate() {
            let ratios: Vec<f64> = windows.iter().zip(&rows[0]).map(|(own, get)| own[0] / get[0]).collect();
            let of = |index: usize| median(&windows.iter().map(|window| window[index]).collect::<Vec<_>>());
            let (ratio, p50, p99) = (median(&ratios), of(0), of(1));
            println!("{:>12} {ratio:>6.2} {p50:>8.1} {p99:>8.1}", LINES[line]);
            let numbers =
                json!({ "place": name, "line": LINES[line], "ratio": ratio, "p50_us": p50, "p99_us": p99 });
            results.add("latency", numbers).unwrap();
        }
    }
}

async fn subject(place: &Place) -> Subject {
    let (quiet, telling) = (place.store("quiet", false).await, place.telling("telling").await);
    let value = format!("\"{}\"", "x".repeat(73));
    let (one, other) = (begin(&quiet, 0, 8, &value).await, begin(&telling, 0, 8, &value).await);
    let client = redis::Client::open(place.nodes()[0].url()).unwrap();
    let mut listener = client.get_async_pubsub().await.unwrap();
    listener.subscribe("bare").await.unwrap();
    let mut bare = place.bare().await;
    bare.set("bare", &value.repeat(8)).await;
    Subject {
        bare,
        publisher: client.get_multiplexed_async_connection().await.unwrap(),
        messages: listener.into_on_message(),
        quiet: (quiet.clone(), Commits::of(&quiet, one).await),
        events: telling.subscribe(&Watch::session(other)).await.unwrap(),
        telling: (telling.clone(), Commits::of(&telling, other).await),
    }
}

/// The median and the 99th percentile of so many, in microseconds.
async fn window(subject: &mut Subject, line: usize, each: usize) -> [f64; 2] {
    let mut spans = Vec::with_capacity(each);
    for _ in 0..each {
        let begun = Instant::now();
        let span = match line {
            0 | 1 => {
                subject.bare.get("bare").await;
                begun.elapsed()
            }
            2 => {
                let mut publish = redis::cmd("PUBLISH");
                publish.arg("bare").arg("x".repeat(150));
                let sent = publish.query_async::<u64>(&mut subject.publisher);
                let next = std::future::poll_fn(|cx| Pin::new(&mut subject.messages).poll_next(cx));
                let (sent, span) = tokio::join!(sent, timed(begun, next));
                assert_eq!(sent.unwrap(), 1);
                span
            }
            3 => {
                let (store, commits) = &mut subject.quiet;
                commits.run(store).await;
                begun.elapsed()
            }
            _ => {
                let (store, commits) = &mut subject.telling;
                let (told, received) =
                    tokio::join!(timed(begun, commits.run(store)), timed(begun, event(&mut subject.events)));
                if line == 4 { told } else { received }
            }
        };
        spans.push(span.as_secs_f64() * 1e6);
    }
    spans.sort_by(f64::total_cmp);
    [spans[each / 2], spans[each * 99 / 100]]
}

/// Anything else would be another measurement.
async fn event(events: &mut SessionEvents) {
    let notice = events.next().await;
    assert!(matches!(notice, Some(Notice::Event(_))), "{notice:?}");
}

async fn timed<T>(begun: Instant, work: impl Future<Output = T>) -> Duration {
    let _ = work.await;
    begun.elapsed()
}
