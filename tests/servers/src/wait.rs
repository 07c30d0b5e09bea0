//! Waiting for a condition, never for a fixed time.

use std::time::{Duration, Instant};

/// Polls until `done` or until the time is up. Answers whether it was done.
pub(crate) fn until(bound: Duration, pause: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + bound;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(pause);
    }
}
