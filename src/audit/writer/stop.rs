//! Asking a writer to stop.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

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

    /// Waits for so long, or until somebody asks.
    pub(super) async fn or_after(&self, span: Duration) {
        let mut asked = self.0.subscribe();
        // The sender is `self`, so it cannot be closed.
        drop(timeout(span, asked.wait_for(|asked| *asked)).await);
    }
}
