//! What a store is asked about all sessions of a user.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::{
    audit::RequestContext,
    id::{Address, EventId, SessionHandle, SessionRef},
    record::EndReason,
};

/// How a session appears among its user's sessions, and how many may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its name there, never used before.
    pub handle: SessionHandle,
    /// From where the user signs in, as far as that may be told.
    pub address: Option<String>,
    /// How many sessions the user may have.
    pub cap: Option<SessionCap>,
    /// Under which generation the sign-in began, as [`reserve`](super::SessionStore::reserve) answered it. If
    /// all the user's sessions were revoked since, it is [`Revoked`](super::Created::Revoked), too.
    pub began: Option<Generation>,
    /// The session that the sign-in replaces, which does not count.
    pub replaces: Option<SessionRef>,
    /// How long it is remembered that a session was evicted for this one.
    pub remember: Duration,
}

/// Counts how often all sessions of a user were revoked; a number that only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// From a number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How many sessions a user may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCap {
    /// So many.
    pub limit: NonZeroU32,
    /// What happens at one more.
    pub policy: CapPolicy,
}

/// What happens at a sign-in of a user who has as many sessions as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CapPolicy {
    /// The session that began first ends, for the reason [`EndReason::Evicted`].
    EvictOldest,
    /// The session that was not used for the longest time ends, for the reason [`EndReason::Evicted`].
    EvictLeastRecentlyUsed,
    /// The sign-in is refused, and nothing is changed: not even the session that asks for it. Somebody who
    /// lost his devices has to wait until their sessions end, or needs an administrator.
    Reject,
}

/// What [`reserve`](super::SessionStore::reserve) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reserved {
    /// The sign-in can go on, and began under this generation.
    Reserved(Generation),
    /// The user has as many sessions as there may be; nothing is changed.
    Rejected,
}

/// The end of sessions of one user.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// Whose.
    pub user: String,
    /// The name of this change; each session's end has one of its own.
    pub event: EventId,
    /// Which of them.
    pub which: Which,
    /// Why.
    pub reason: EndReason,
    /// The session that asks for it, which must still be there.
    pub by: Option<SessionHandle>,
    /// What that session's device is called; those who find their session ended may be told.
    pub device: Option<String>,
    /// How long it is remembered why the sessions ended.
    pub remember: Duration,
    /// The request, for the trail.
    pub context: Arc<RequestContext>,
}

/// Which sessions of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The one with this handle.
    One(SessionHandle),
    /// All but the one with this handle, and every sign-in under way.
    Others(SessionHandle),
    /// All, and every sign-in under way.
    All,
}

impl Revocation {
    /// The end of one of them.
    pub(crate) fn of(&self, at: Address) -> super::End {
        super::End {
            at,
            event: EventId::new(),
            reason: self.reason,
            keep_fields: false,
            remember: self.remember,
            user: Some(self.user.clone()),
            context: Arc::clone(&self.context),
        }
    }
}

/// The end of every session of everybody.
#[derive(Clone, Debug, Default)]
pub struct Raise {
    /// The request, for the trail.
    pub context: Arc<RequestContext>,
}

/// What [`revoke`](super::SessionStore::revoke) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Revoked {
    /// So many sessions were ended; of all or all others it may be none.
    Revoked(usize),
    /// This user has no session with that handle; nothing is changed.
    NotFound,
    /// The session that asked for it is over itself; nothing is changed.
    Gone,
}

/// For how long a place is held for a sign-in that has to end a session on another shard first.
pub(crate) const RESERVATION: Duration = Duration::from_secs(30);
