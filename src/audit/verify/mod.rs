//! Redis and the trail, held against one another.
//!
//! [`Verify`] checks two things. That the rows are as the writer stored them: against their
//! [seals](super::seal). And that they tell what happened: versions without a gap, one event behind the other,
//! and at their end the session that Redis has.
//!
//! | a session is | when |
//! |---|---|
//! | [behind](Discrepancy::Behind) | Redis has changes that are neither in the trail nor waiting for a writer |
//! | [ahead](Discrepancy::Ahead) | the trail has changes that Redis lost, in a failover or with its memory |
//! | [gapped](Discrepancy::Gapped) | a version is missing between two others |
//! | [forked](Discrepancy::Forked) | two events follow the same one: Redis forgot acknowledged changes and went on |
//! | [edited](Discrepancy::Edited) | a row of it is not as it was sealed |
//! | [different](Discrepancy::Differs) | Redis has other values than the trail, at the same event |
//!
//! Versions that are missing where the trail says that it left changes out
//! ([`AuditOverflow::Shed`](super::AuditOverflow::Shed)) are no loss: they are among
//! [`told_gaps`](VerifyReport::told_gaps), as many as were told and no more.
//!
//! Sessions are those of the store's namespace; rows and seals are checked for all of the database, since a seal
//! covers whatever a writer stored at a time.
//!
//! It changes nothing, and does not count as use of a session. Visitors and writers may go on meanwhile: what
//! was written after the trail was read is looked for in the queue and then once more in the trail, in this
//! order, before a session is called behind.
//!
//! # What it can't see
//!
//! * Whether a session that Redis does not have idled out or was lost, once its idle time is over by the trail.
//! * Rows of writers that do not [seal](super::AuditWriter::seal), but for what does not fit together.
//! * A change of whole sessions by somebody with the writer's key, or of Redis and the trail alike without
//!   seals.
//!
//! ```no_run
//! # async fn f(store: &cloakroom::store::RedisStore, pool: sqlx::PgPool, public: [u8; 32])
//! # -> Result<(), cloakroom::error::Error> {
//! use cloakroom::audit::{
//!     Verify,
//!     seal::{SealPublicKey, Verifier},
//! };
//!
//! let seals = Verifier::new().key(SealPublicKey::new("2026", public)?);
//! let report = Verify::new(store, pool).seals(seals).run().await?;
//! for problem in &report.problems {
//!     println!("{problem}");
//! }
//! assert!(report.is_sound());
//! # Ok(()) }
//! ```

mod compare;
mod pending;
mod report;
mod run;
mod told;
mod untold;

use std::{fmt, time::Duration};

use sqlx::PgPool;

pub use report::{Discrepancy, Problem, VerifyReport};

use super::{AuditQueue, seal::Verifier};
use crate::{error::Error, store::RedisStore};

/// Reconciles Redis and the trail. See the [module](self).
#[must_use = "nothing happens until `run` is awaited"]
pub struct Verify {
    store: RedisStore,
    queue: AuditQueue,
    pool: PgPool,
    seals: Verifier,
    idle: Duration,
    progress: Box<dyn FnMut(&VerifyReport) + Send>,
}

impl Verify {
    /// Of this store's namespace and the trail behind `pool`. The store must have the pepper and the number of
    /// shards that the application has. Needs the right to read the trail and its seals.
    pub fn new(store: &RedisStore, pool: PgPool) -> Self {
        Self {
            queue: store.audit_queue(),
            store: store.apart(),
            pool,
            seals: Verifier::new(),
            idle: Duration::from_secs(60 * 60),
            progress: Box::new(|_| {}),
        }
    }

    /// With these keys and anchors. Default: none, so that seals are hashes only.
    pub fn seals(mut self, verifier: Verifier) -> Self {
        self.seals = verifier;
        self
    }

    /// The application's idle timeout: a session that the trail has and Redis has not is called lost only as
    /// long as it can't have idled out. Default: one hour, as the application's own default is.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Is told how far it has come, after every page of a few hundred sessions.
    pub fn on_progress(mut self, tell: impl FnMut(&VerifyReport) + Send + 'static) -> Self {
        self.progress = Box::new(tell);
        self
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when Redis or PostgreSQL does not
    /// answer in time. [`ErrorKind::Mismatch`](crate::error::ErrorKind::Mismatch) when the namespace has another
    /// number of shards. [`ErrorKind::Corrupt`](crate::error::ErrorKind::Corrupt) when Redis has something under
    /// a session's key that is none. [`ErrorKind::Config`](crate::error::ErrorKind::Config) when the trail can't
    /// be read.
    pub async fn run(self) -> Result<VerifyReport, Error> {
        run::run(self).await
    }
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("idle", &self.idle).finish_non_exhaustive()
    }
}
