//! Where sessions live: the [`SessionStore`] contract and its two implementations.
//!
//! | store | for | state |
//! |---|---|---|
//! | [`MemoryStore`] | development and tests | in this process, gone with it |
//! | `RedisStore` (feature `redis`) | production, one server or a cluster | in Redis, shared by all instances |
//!
//! Both pass one behaviour suite. A store is told hashes and places ([`Address`]), never tokens; a
//! missing, ended or changed session is an answer, an [`Error`] means a broken store.
//!
//! # The contract
//!
//! * `load` never creates, never adopts an unknown address, and never answers a session past its
//!   deadline or below its shard's epoch.
//! * `commit` changes a session that exists, all or nothing, and bumps its version by exactly one.
//!   It never makes one: [`Commit::Gone`](Committed::Gone) is final.
//! * `end` has exactly one winner.
//! * A session with a user lives on that [user's shard](ShardCount::of_user) and is listed among his sessions
//!   from the very change that made it until the one that ended it. A cap holds however many sign in at a time.
//! * A session that nobody used in time is over at that moment, and its end is told once: when
//!   [`sweep`](SessionStore::sweep) finds it. Until then its address is [`Missing`](Loaded::Missing).
//! * Every change carries an [`EventId`](crate::id::EventId). A change that is asked for twice under
//!   one id happens once and is answered alike both times, so a lost reply is settled by asking again.
//! * A change of more than [`MAX_CHANGES`] keys is refused, and nothing happens.
//! * All time is the store's own.
//! * With an audit trail, the entry is written together with the change or not at all.

mod answer;
mod change;
mod durability;
mod erased;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;
mod user;

use std::time::Duration;

pub use answer::{Committed, Created, Finished, Loaded};
use change::check_count;
pub use change::{Anew, Commit, Create, End, MAX_CHANGES, Policy, Renewal, SignIn};
pub(crate) use change::{GRACE_AFTER_USE, REMEMBER};
pub use durability::{Confirm, Confirmed, Durability, TooFew};
pub(crate) use erased::ErasedStore;
pub use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
pub(crate) use user::RESERVATION;
pub use user::{CapPolicy, Generation, Listing, Raise, Reserved, Revocation, Revoked, SessionCap, Which};

use crate::{
    error::{Error, ErrorKind},
    events::{SessionEvents, Watch},
    id::{Address, ShardCount},
    record::SessionInfo,
};

/// Whether a request counts as activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Touch {
    /// The idle timeout starts again.
    #[default]
    Refresh,
    /// It goes on running, whether the request reads or writes: for an endpoint that a page polls by itself.
    Peek,
}

/// A place that keeps sessions. See the [module](self) for what it promises.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session store",
    label = "a store is expected here",
    note = "take `RedisStore::new(\"redis://…\")?`, with its `?`, or `MemoryStore::new()` while developing",
    note = "a store behind a pointer or a connection of your own needs an `impl SessionStore for …`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// How many shards the namespace has; tokens are made for one of them.
    fn shards(&self) -> ShardCount;

    /// Whether changes are put into an audit trail, so that it is worth describing the request.
    fn audits(&self) -> bool {
        false
    }

    /// Reads a session and, with [`Touch::Refresh`], restarts its idle timeout of `idle`.
    fn load(
        &self,
        at: Address,
        touch: Touch,
        idle: Duration,
    ) -> impl Future<Output = Result<Loaded, Error>> + Send;

    /// Makes a session at an address that was never used.
    fn create(&self, create: &Create) -> impl Future<Output = Result<Created, Error>> + Send;

    /// Changes a session that exists.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<Committed, Error>> + Send;

    /// Ends a session.
    fn end(&self, end: &End) -> impl Future<Output = Result<Finished, Error>> + Send;

    /// Begins a sign-in that has to end another session before [`create`](Self::create) can finish it: answers
    /// the generation that it must name then and, with [`CapPolicy::Reject`], holds a place for half a minute.
    fn reserve(&self, create: &Create) -> impl Future<Output = Result<Reserved, Error>> + Send;

    /// The sessions of a user that are alive, the youngest first; none of them is marked as current.
    fn sessions_of(&self, user: &str) -> impl Future<Output = Result<Vec<SessionInfo>, Error>> + Send;

    /// Ends sessions of a user. When this has answered for all of them, none works that existed when it was
    /// asked, and no sign-in that had [begun](Self::reserve) by then comes to be.
    fn revoke(&self, revocation: &Revocation) -> impl Future<Output = Result<Revoked, Error>> + Send;

    /// Voids every session there is, whoever's, by raising the epoch of all shards above the highest; answers
    /// the new one. On an error some shards may not be raised, and asking again raises all.
    fn raise_epoch(&self, raise: &Raise) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Ends the sessions whose time was up when this was asked and whose end nobody has noticed, each exactly once,
    /// and answers how many this call ended: those that no request used for too long, and of those that came to
    /// be looked at the ones past their deadline or below the epoch. `remember` says how long it is remembered why.
    ///
    /// Any number may run at a time. What a session held is gone by then, and so are its version and last event:
    /// its row in the trail has no version and no predecessor. After a lost reply the number may be too small.
    /// [`SessionSweeper`](crate::session::SessionSweeper) does this every few seconds.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::error::ErrorKind::Config) where the store can't,
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) while it can't be reached: some shards may be swept
    /// then, and asking again does the rest.
    fn sweep(&self, remember: Duration) -> impl Future<Output = Result<usize, Error>> + Send {
        let _ = remember;
        std::future::ready(Err(Error::msg(
            ErrorKind::Config,
            "this store notices no expiry: forward `sweep` to the store within",
        )))
    }

    /// Waits until replicas have a change that was made. The embedded store has none and needs none.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::error::ErrorKind::Config) where a store can't tell,
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) while it can't be reached.
    fn confirm(&self, confirm: &Confirm) -> impl Future<Output = Result<Confirmed, Error>> + Send {
        let _ = confirm;
        std::future::ready(Err(Error::msg(
            ErrorKind::Config,
            "this store can't wait for replicas: take `Durability::Fast`, or forward `confirm` to the store within",
        )))
    }

    /// Tells what happens to sessions from now on. When this has answered, every change that is made is told.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::error::ErrorKind::Config) where the store tells no events,
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) while it can't be reached.
    fn subscribe(&self, watch: &Watch) -> impl Future<Output = Result<SessionEvents, Error>> + Send {
        let _ = watch;
        std::future::ready(Err(Error::msg(
            ErrorKind::Config,
            "this store tells no events: switch them on where it is made, or forward `subscribe` to the store within",
        )))
    }

    /// Answers when the store can be used.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) while it cannot be reached,
    /// [`Mismatch`](crate::error::ErrorKind::Mismatch) when it was set up otherwise.
    fn ready(&self) -> impl Future<Output = Result<(), Error>> + Send;
}
