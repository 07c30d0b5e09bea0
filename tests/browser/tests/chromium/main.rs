//! The demo in a real Chromium, which is what decides in the end whether a cookie is sent, a script is run, a stream
//! is read, or a page fits the screen.
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

#[path = "../../../demo/binary.rs"]
mod binary;
mod cart;
mod cookies;
mod devices;
mod devtools;
mod layout;
mod leaving;
mod line;
mod policy;
mod prefix;
#[allow(dead_code, reason = "the demo's other tests need more of it")]
#[path = "../../../demo/process.rs"]
mod process;
mod profile;
mod tab;
mod watch;
mod world;

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// Asks until the answer is a yes.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !done().await {
        assert!(Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
