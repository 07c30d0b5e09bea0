//! The demo as a visitor meets it: its own process, over TCP, with a browser's cookie jar, on a Redis and
//! a PostgreSQL that the test starts, kills and looks into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

/// Each test on the demo as axum and as actix-web serve it.
macro_rules! by_each_framework {
    ($($test:ident),* $(,)?) => {
        mod axum {
            $(#[tokio::test] async fn $test() { super::$test("axum").await })*
        }
        mod actix {
            $(#[tokio::test] async fn $test() { super::$test("actix").await })*
        }
    };
}

mod account;
mod binary;
mod browser;
mod costs;
mod outages;
mod pages;
mod process;
mod readme;
mod secrets;
mod starting;
mod visit;

use std::time::{Duration, Instant};

use servers::Postgres;

/// Longer than anything takes on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// Asks until the answer is a yes.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !done().await {
        assert!(Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The trail's kinds, in order.
fn kinds(postgres: &Postgres) -> Vec<String> {
    rows(postgres, "SELECT kind FROM cloakroom.session_event ORDER BY occurred_at, stream_id")
}

/// Each session's versions are 1, 2, 3 … without a gap, and none twice.
fn assert_contiguous(postgres: &Postgres) {
    let gaps = "SELECT ref, count(*), min(version), max(version), count(DISTINCT version) \
                FROM cloakroom.session_event GROUP BY ref \
                HAVING min(version) <> 1 OR max(version) <> count(*) OR count(DISTINCT version) <> count(*)";
    assert_eq!(rows(postgres, gaps), Vec::<String>::new());
}

fn rows(postgres: &Postgres, sql: &str) -> Vec<String> {
    postgres.psql(sql).unwrap().lines().map(str::to_owned).collect()
}
