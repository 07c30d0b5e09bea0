//! How sure a change must be before it is answered.

use std::{num::NonZeroU8, time::Duration};

use crate::{
    error::{Error, ErrorKind, Result},
    id::{Address, EventId},
};

/// How sure a sign-in, a sign-out and a change of what a session may do must be before they are answered.
///
/// Redis replicates after it has answered, so a failover can lose what was acknowledged a moment before: a
/// sign-out among it comes undone. With [`replicated`](Self::replicated) such a change is answered when so many
/// replicas have it (`WAIT`). That is no consensus: a replica without it may still be made the primary, though
/// Redis prefers the one that has most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When the primary has it.
    #[default]
    Fast,
    /// When the primary and replicas have it. One more round trip, on a connection of its own.
    Replicated {
        /// How many replicas.
        replicas: NonZeroU8,
        /// How long to wait for them; no longer than the store's own timeout allows.
        timeout: Duration,
        /// What to do if there are fewer by then. The change is made either way.
        otherwise: TooFew,
    },
}

/// What to do with a change that too few replicas have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TooFew {
    /// Log a warning and answer as usual: a lost replica must not keep everybody from signing in.
    #[default]
    GoOn,
    /// Answer 503. The change is made, the cookie is set or removed; a retry asks the replicas again.
    Refuse,
}

impl Durability {
    /// When `replicas` have it, waiting for `timeout` at most, and going on without them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for no replicas, and for a timeout outside of 1 ms to 10 s.
    pub fn replicated(replicas: u8, timeout: Duration) -> Result<Self> {
        let Some(replicas) = NonZeroU8::new(replicas) else {
            let text = "durability: 0 replicas are those of `Durability::Fast`; take 1 or more";
            return Err(Error::msg(ErrorKind::Config, text));
        };
        if timeout < Duration::from_millis(1) || timeout > Duration::from_secs(10) {
            let text = format!("durability: a timeout of {timeout:?}; take 1 ms to 10 s");
            return Err(Error::msg(ErrorKind::Config, text));
        }
        Ok(Self::Replicated { replicas, timeout, otherwise: TooFew::GoOn })
    }

    /// Answers 503 where too few replicas have it.
    #[must_use]
    pub fn or_refuse(mut self) -> Self {
        if let Self::Replicated { otherwise, .. } = &mut self {
            *otherwise = TooFew::Refuse;
        }
        self
    }
}

/// A change that was made, and how many replicas shall have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The session that was changed.
    pub at: Address,
    /// By which event.
    pub event: EventId,
    /// How many.
    pub replicas: NonZeroU8,
    /// How long to wait for them.
    pub timeout: Duration,
}

/// What [`confirm`](super::SessionStore::confirm) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Confirmed {
    /// So many replicas have it, as were asked for.
    Replicated,
    /// Only so many have it so far.
    TooFew(u64),
    /// Not even the primary has it any more: another one took its place meanwhile.
    Lost,
}
