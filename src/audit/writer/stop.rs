//! Asking a writer to stop.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use tokio::sync::watch;

/// Asks an [`AuditWriter`](super::AuditWriter) to stop. Cloning it gives another handle to the same writer;
/// dropping it does nothing.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Asks the writer to flush and end; `run` returns at most the flush time later (5 s by default) plus
    /// the time that Redis takes for the last answer.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Does this work, unless somebody asks to stop meanwhile. Whoever has asked already is not heard again.
    pub(super) async fn interrupts<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut asked = self.0.subscribe();
        let mut work = pin!(work);
        if *asked.borrow_and_update() {
            return Some(work.await);
        }
        let mut asked = pin!(asked.changed());
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => asked.as_mut().poll(context).map(|_| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_until_somebody_asks_to_stop() {
        let stop = Stop::new();
        assert_eq!(stop.interrupts(async { 1 }).await, Some(1));
        let asking = stop.clone();
        let asks = tokio::spawn(async move { asking.stop() });
        assert_eq!(stop.interrupts(std::future::pending::<u8>()).await, None);
        asks.await.unwrap();
        assert_eq!(stop.interrupts(tokio::time::sleep(Duration::from_millis(1))).await, Some(()));
    }
}
