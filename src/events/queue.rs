//! From whoever learns of events to whoever wants them.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::{
    SessionEvent,
    watch::{Filter, Watch},
};

/// What a subscription tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Something happened.
    Event(Arc<SessionEvent>),
    /// Something may have happened that was not told, or was told too late: the log did not go back far enough
    /// after a lost connection, or this reader was too slow. Look at what you hold.
    Missed,
}

/// A stream of events, made by [`SessionStore::subscribe`](crate::store::SessionStore::subscribe). Dropping it
/// ends the subscription.
///
/// It holds 256 events that nobody has read yet; of those beyond, it tells [`Notice::Missed`].
pub struct SessionEvents {
    queue: mpsc::Receiver<Notice>,
    overrun: Arc<AtomicBool>,
}

/// The other end of it.
pub(crate) struct Watcher {
    filter: Filter,
    queue: mpsc::Sender<Notice>,
    overrun: Arc<AtomicBool>,
}

const CAPACITY: usize = 256;

impl SessionEvents {
    /// A subscription, and one watcher for it on each of `shards` shards.
    pub(crate) fn new(watch: &Watch, shards: usize) -> (Self, Vec<Watcher>) {
        let (sender, queue) = mpsc::channel(CAPACITY);
        let overrun = Arc::new(AtomicBool::new(false));
        let watcher =
            || Watcher { filter: Filter::of(watch), queue: sender.clone(), overrun: Arc::clone(&overrun) };
        let watchers = (0..shards).map(|_| watcher()).collect();
        (Self { queue, overrun }, watchers)
    }

    /// The next notice; `None` when the store that tells them is gone for good. Dropping this loses nothing.
    pub async fn next(&mut self) -> Option<Notice> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        if self.overrun.swap(false, Ordering::Relaxed) {
            return Poll::Ready(Some(Notice::Missed));
        }
        self.queue.poll_recv(context)
    }
}

impl Stream for SessionEvents {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.get_mut().poll(context)
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvents").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Watcher {
    pub(crate) fn tell(&mut self, event: &Arc<SessionEvent>) {
        if self.filter.takes(event) {
            self.send(Notice::Event(Arc::clone(event)));
        }
    }

    pub(crate) fn missed(&self) {
        self.send(Notice::Missed);
    }

    fn send(&self, notice: Notice) {
        // Never waits: one slow reader must not hold up the others.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(notice) {
            self.overrun.store(true, Ordering::Relaxed);
        }
    }
}

/// Everybody who watches one shard.
#[derive(Default)]
pub(crate) struct Watchers(Vec<Watcher>);

impl Watchers {
    pub(crate) fn add(&mut self, watcher: Watcher) {
        self.0.push(watcher);
    }

    pub(crate) fn tell(&mut self, event: SessionEvent) {
        let event = Arc::new(event);
        self.0.iter_mut().for_each(|watcher| watcher.tell(&event));
    }

    #[cfg(feature = "redis")]
    pub(crate) fn missed(&self) {
        self.0.iter().for_each(Watcher::missed);
    }

    /// Forgets those who have left. Whether nobody is there any more.
    pub(crate) fn forget_the_gone(&mut self) -> bool {
        self.0.retain(|watcher| !watcher.queue.is_closed());
        self.0.is_empty()
    }
}
