//! A timer that keeps other timers cheap.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

/// While something is asked, some timer of the runtime ends earlier than that of the next question.
///
/// Each question has a timer. If it is the first to end, the runtime writes to itself, to wake the thread that waits
/// for sockets and does not know of it: on a quiet server a system call and a turn of the loop for each question, 1 of
/// the 48 µs of a request that reads (one connection, one core).
#[derive(Default)]
pub(super) struct Pulse(Arc<AtomicBool>);

impl Pulse {
    /// Starts a timer of half this time, unless there is one.
    pub(super) fn keep(&self, timeout: Duration) {
        // No more than a load, but once in that time.
        if self.0.load(Ordering::Relaxed) || self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let beat = Beat(Arc::downgrade(&self.0));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _beat = beat;
                sleep(timeout / 2).await;
            });
        }
    }
}

/// Its end, also by the end of its runtime, makes way for the next.
struct Beat(Weak<AtomicBool>);

impl Drop for Beat {
    fn drop(&mut self) {
        if let Some(running) = self.0.upgrade() {
            running.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_whatever_becomes_of_its_runtime() {
        let pulse = Pulse::default();
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                for _ in 0..3 {
                    pulse.keep(Duration::from_secs(60));
                }
                assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
            });
            drop(runtime);
            assert!(!pulse.0.load(Ordering::Relaxed), "its runtime is no more");
        }
    }

    #[tokio::test]
    async fn over_when_its_time_is() {
        let pulse = Pulse::default();
        pulse.keep(Duration::from_millis(2));
        let over = async {
            while pulse.0.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), over).await.expect("a millisecond");
    }
}
