//! Holding a request in the middle of its handler.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Travels in the extensions of a request that has a `hold` step. The permits are kept until somebody
/// asks, so that neither side can miss the other.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    reached: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { reached: Semaphore::new(0), open: Semaphore::new(0) }))
    }

    /// For the handler: says that it is here, and waits to be let on.
    pub(crate) async fn pass(&self) {
        self.0.reached.add_permits(1);
        self.0.open.acquire().await.unwrap().forget();
    }

    /// For the test: waits until the handler is here.
    pub(crate) async fn reached(&self) {
        self.0.reached.acquire().await.unwrap().forget();
    }

    /// For the test: lets the handler on.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(1);
    }

    /// For the test: whether the handler, and whoever held it, is gone.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}
