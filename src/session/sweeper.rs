//! Noticing the sessions that nobody came back to.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use crate::{
    error::Result,
    store::{ErasedStore, REMEMBER, SessionStore},
};

/// Notices that sessions ran out, and tells of it: the audit trail, whoever watches [events](crate::events), the
/// list of the user's sessions, and the visitor who comes back, to whom
/// [`ended`](crate::session::Session::ended) then says [`Idle`](crate::record::EndReason::Idle).
///
/// Redis drops a session when its idle time is over, and tells nobody reliably: notifications of expired keys are
/// lost where nobody listens. So the store keeps a list of when which session may be up, and a sweep looks at what
/// is due. Safety does not depend on it; a session that ran out is over whether anybody sweeps or not.
///
/// Any number may run, on any instance, writer of the trail or not: a session's end is told **exactly once**,
/// also of those that ran out while nobody was there. One on every instance is what we advise: there is nothing to
/// elect. With nothing due, a sweep of 64 shards is one round trip on one server, 64 on a cluster. Of what is due,
/// each hundred is one script of a millisecond or two.
///
/// ```
/// use cloakroom::{session::SessionSweeper, store::MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloakroom::error::Error> {
/// // In production: `RedisStore::builder("redis://127.0.0.1").audit(true).build()?`.
/// let store = MemoryStore::new();
/// let sweeper = SessionSweeper::new(store.clone());
/// assert_eq!(sweeper.sweep_once().await?, 0);
/// let sweeping = tokio::spawn(sweeper.run());
/// // … serve …
/// sweeping.abort();
/// # Ok(()) }
/// ```
///
/// # What is told
///
/// * In the trail: [`Ended`](crate::audit::EntryKind::Ended) for the reason `idle`, or `absolute` where its
///   deadline came first. **No version and no predecessor**: both went with the session. The event id is made of the
///   ref, so that it is the same whoever notices. `occurred_at` is when it was noticed.
/// * To the visitor: the moment at which the idle time was over, as far as it is known. Where nobody swept for
///   longer than the idle timeout, that is a moment at which the session was certainly alive, and not its last.
/// * A session that is there yet, but past its deadline or below the epoch, is ended as a request would end it,
///   with its version.
///
/// Each end is remembered for a day by about 250 bytes; [`with_memory_of_ends`](Self::with_memory_of_ends) makes
/// that shorter where many visitors come once. Sessions that were begun by a release without this list, and not
/// renewed since, run out in silence.
#[derive(Clone)]
#[must_use = "a sweeper does nothing until `run` or `sweep_once` is polled"]
pub struct SessionSweeper {
    store: Arc<dyn ErasedStore>,
    remember: Duration,
    every: Duration,
}

impl SessionSweeper {
    /// For the sessions in `store`.
    pub fn new(store: impl SessionStore) -> Self {
        Self { store: Arc::new(store), remember: REMEMBER, every: Duration::from_secs(10) }
    }

    /// How long it is remembered that a session ran out. Default: 24 hours, as
    /// [`with_memory_of_ends`](crate::manager::SessionConfig::with_memory_of_ends). At least a millisecond.
    pub fn with_memory_of_ends(mut self, remember: Duration) -> Self {
        self.remember = remember.max(Duration::from_millis(1));
        self
    }

    /// How long [`run`](Self::run) waits between two sweeps, give or take half of it. Default: 10 seconds. At least
    /// 100 ms.
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause.max(Duration::from_millis(100));
        self
    }

    /// Looks at everything that is due by now, and answers how many sessions this call ended. After a reply that
    /// was lost and asked for again, the number may be too small; what is told is not.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) and the like when the store fails, after one timeout
    /// for each shard that is out of reach; what is due on the others is done by then. Sweep again whenever you
    /// like. [`Config`](crate::error::ErrorKind::Config) where the store is a wrapper that does not forward it.
    pub async fn sweep_once(&self) -> Result<usize> {
        let ended = self.store.sweep(self.remember).await?;
        if ended > 0 {
            tracing::debug!(ended, "sessions ran out");
        }
        Ok(ended)
    }

    /// Sweeps for ever, with a pause between two sweeps that differs each time, so that instances which started
    /// together don't go on together. It never fails; what goes wrong is logged and tried again.
    ///
    /// Dropping this future, or aborting its task, is safe at any moment: each session is told of in one script,
    /// all or nothing, and the next sweep goes on.
    pub async fn run(self) -> Infallible {
        loop {
            tokio::time::sleep(jittered(self.every, getrandom::u64().unwrap_or(u64::MAX / 2))).await;
            if let Err(error) = self.sweep_once().await {
                tracing::warn!(%error, "no sweep of the sessions that ran out; it is tried again");
            }
        }
    }
}

impl fmt::Debug for SessionSweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSweeper").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Between half of `pause` and one and a half. `random` is uniform over all of `u64`.
fn jittered(pause: Duration, random: u64) -> Duration {
    // The upper 32 bits as a fraction of 2^32. A pause of centuries is none that anybody means.
    let factor = 0.5 + (random >> 32) as f64 / f64::from(u32::MAX);
    Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn a_pause_is_half_to_one_and_a_half() {
        let pause = Duration::from_secs(10);
        assert_eq!(jittered(pause, 0), Duration::from_secs(5));
        assert_eq!(jittered(pause, u64::MAX), Duration::from_secs(15));
        assert_eq!(jittered(Duration::MAX, u64::MAX), Duration::MAX);
        let sweeper = SessionSweeper::new(MemoryStore::new()).every(Duration::ZERO);
        assert_eq!(sweeper.every, Duration::from_millis(100));
        assert_eq!(
            sweeper.with_memory_of_ends(Duration::ZERO).remember,
            Duration::from_millis(1),
            "PEXPIRE 0 would delete what was just written"
        );
    }
}
