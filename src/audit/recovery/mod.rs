//! Sessions back into Redis, from the trail.
//!
//! For the day on which Redis lost its memory: [`Recovery`] reads the trail in PostgreSQL and puts every
//! session that is alive back where it was, with its user and its values, so that the cookies out there
//! work again. It may run while the application serves.
//!
//! # The rules
//!
//! * **Live traffic wins.** A session is put back by one script, and only where nothing is: no session
//!   under its own key or a former one, and no tombstone. Nothing that exists is ever changed.
//! * **What ended stays out.** An end in the trail counts on whichever branch it was written. Its reason is
//!   remembered again, for as long as it would have been.
//! * **Nobody is brought back to an older token.** A renewed session comes back under its newest token
//!   only. The marks of renewals, which live a minute, are not made anew.
//! * **An epoch counts.** A session that began before the epoch of its shard was raised stays void; Redis'
//!   epochs are first of all set to at least those of the trail. Nor does a session come back that began before
//!   all sessions of its user were revoked, as far as Redis still knows of it.
//! * **Whoever is signed in is listed again**, under a new handle, since the trail does not hold the old one: so
//!   that the session can be listed, counted by a cap and revoked. A cap is not enforced here, but by the next
//!   sign-in. Also a session that the application had signed in without listing it is listed then.
//! * **What is not known is reported, not guessed.** See [`ProblemKind`].
//! * **Twice is once.** A run that was interrupted is simply started again.
//!
//! Each session that comes back gets an entry [`Recovered`](crate::audit::EntryKind::Recovered), which
//! continues its versions; so a writer must run to bring those into the trail. Whoever watches
//! [events](crate::events) is told nothing: nobody was told that the session was away.
//!
//! # What does not come back
//!
//! * Changes, sign-outs and renewals that were still in Redis when it was lost: the last moments before the
//!   loss. [`RecoveryReport::known_until`] says for each shard how far the trail reaches, and
//!   [`Recovery::drop_active_since`] leaves out the sessions that were in use then.
//! * The values of secret keys, which never leave Redis. They are reported, and absent.
//! * The address that a user's list shows for a session.
//! * Idle time: reads are not in the trail, so it begins again, or is counted from the last write
//!   ([`Recovery::idle_from_last_write`]). Sessions that idled out without an entry are alive until then.
//! * Values that were erased or never recorded. From a trail of [names](crate::audit::AuditDetail::Names) sessions
//!   come back with who is signed in and nothing else; all their keys are reported as secret.
//!
//! # How much is read
//!
//! Of each session what is younger than its [snapshot](crate::audit::Snapshots), or all of it where there is none, or
//! where a row says otherwise. [`RecoveryReport::rows`] counts. [`Recovery::without_snapshots`] reads everything.
//!
//! # Values
//!
//! They come back byte for byte. Where `jsonb` words a value anew (it orders members, writes exponents out,
//! drops the sign of zero and all but the last of equal keys), the row holds the payload beside it, and that
//! is what is restored; rows of releases before 0.2 hold the payload only where `jsonb` refused it.
//!
//! ```no_run
//! # async fn f(store: &cloakroom::store::RedisStore, pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! use cloakroom::audit::Recovery;
//!
//! let preview = Recovery::new(store, pool.clone()).dry_run().run().await?;
//! println!("{} of {} sessions would come back", preview.restored, preview.sessions);
//! let report = Recovery::new(store, pool).on_progress(|so_far| println!("{}", so_far.sessions)).run().await?;
//! for problem in &report.problems {
//!     println!("{problem}");
//! }
//! # Ok(())
//! # }
//! ```

mod epochs;
mod one;
mod report;
mod run;

use std::{fmt, sync::Arc, time::Duration};

use sqlx::PgPool;

pub use report::{Problem, ProblemKind, RecoveryReport};

use super::seal::SealPublicKey;
use crate::{clock::Timestamp, error::Error, store::RedisStore};

/// Puts sessions back into Redis. See the [module](self) for the rules.
#[must_use = "nothing happens until `run` is awaited"]
pub struct Recovery {
    store: RedisStore,
    pool: PgPool,
    options: Options,
    progress: Box<dyn FnMut(&RecoveryReport) + Send>,
}

#[derive(Clone, Debug)]
struct Options {
    user: Option<String>,
    until: Timestamp,
    dry: bool,
    idle: Duration,
    remembered_idle: Duration,
    from_last_write: bool,
    drop_active_since: Option<Timestamp>,
    over_gaps: bool,
    snapshots: bool,
    signed_by: Option<Arc<[SealPublicKey]>>,
    concurrency: usize,
    remember: Duration,
}

impl Recovery {
    /// Recovery into this store's namespace from the trail behind `pool`. The store must have the pepper
    /// and the number of shards that it had. It needs the right to read the trail.
    pub fn new(store: &RedisStore, pool: PgPool) -> Self {
        let options = Options {
            user: None,
            until: Timestamp::from_millis(u64::MAX),
            dry: false,
            idle: Duration::from_secs(60 * 60),
            remembered_idle: Duration::from_secs(14 * 24 * 60 * 60),
            from_last_write: false,
            drop_active_since: None,
            over_gaps: false,
            snapshots: true,
            signed_by: None,
            concurrency: 64,
            remember: crate::store::REMEMBER,
        };
        // A connection of its own: a flood of scripts must not stand before the visitors' requests.
        Self { store: store.apart(), pool, options, progress: Box::new(|_| {}) }
    }

    /// Only sessions in which this user signed in. Default: all.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.options.user = Some(user.into());
        self
    }

    /// Values as they were at this moment of Redis' clock. Default: as they were at last.
    ///
    /// Only values go back in time. Ends, renewals and proofs that came later still count, since a token
    /// that was given up must not work again; and a session that began later did not exist then, and is
    /// left out.
    pub fn until(mut self, moment: Timestamp) -> Self {
        self.options.until = moment;
        self
    }

    /// Changes nothing, and reports what it would do.
    pub fn dry_run(mut self) -> Self {
        self.options.dry = true;
        self
    }

    /// The application's idle timeout. Default: one hour, as its own default is.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.options.idle = idle;
        self
    }

    /// The application's idle timeout of [remembered](crate::session::Login::remembered) sign-ins. Default: 14
    /// days, as its own default is.
    pub fn remembered_idle_timeout(mut self, idle: Duration) -> Self {
        self.options.remembered_idle = idle;
        self
    }

    /// Counts idle time from the last write, and leaves out the sessions whose time is up. Default: it
    /// begins again, since reads, which count as use, are not in the trail.
    pub fn idle_from_last_write(mut self) -> Self {
        self.options.from_last_write = true;
        self
    }

    /// Leaves out the sessions that wrote something at this moment of Redis' clock or later: those that may
    /// have been signed out or renewed in the moments that the trail does not know. Default: none.
    pub fn drop_active_since(mut self, moment: Timestamp) -> Self {
        self.options.drop_active_since = Some(moment);
        self
    }

    /// Puts sessions back although versions are missing in their trail, with all that is known. Default:
    /// they are left out, since a missing entry may have taken a right away that an earlier one gave. The same
    /// goes for sessions on a shard whose epoch was raised without the trail telling when.
    pub fn over_gaps(mut self) -> Self {
        self.options.over_gaps = true;
        self
    }

    /// Reads every row that is there. Default: what is younger than a session's snapshot.
    pub fn without_snapshots(mut self) -> Self {
        self.options.snapshots = false;
        self
    }

    /// Takes only [snapshots](crate::audit::Snapshots::sealed_by) that one of these keys signed, and reads the rows of
    /// the other sessions. Default: all are taken, so that whoever may write the table can change what is restored.
    pub fn snapshots_signed_by(mut self, keys: impl IntoIterator<Item = SealPublicKey>) -> Self {
        self.options.signed_by = Some(keys.into_iter().collect());
        self
    }

    /// How many sessions are put back at a time, 1 to 1,024. Default: 64.
    pub fn concurrency(mut self, sessions: u16) -> Self {
        self.options.concurrency = usize::from(sessions.clamp(1, 1024));
        self
    }

    /// Is told how far it has come, after every page of a few hundred sessions.
    pub fn on_progress(mut self, tell: impl FnMut(&RecoveryReport) + Send + 'static) -> Self {
        self.progress = Box::new(tell);
        self
    }

    /// Does it. Safe to repeat, also after it failed or was dropped in the middle.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when Redis or PostgreSQL does not
    /// answer: what was put back until then stays. [`ErrorKind::Mismatch`](crate::error::ErrorKind::Mismatch)
    /// when the namespace has another number of shards, or the trail has sessions on shards that the store
    /// does not have. [`ErrorKind::Config`](crate::error::ErrorKind::Config) when the trail can't be read.
    pub async fn run(self) -> Result<RecoveryReport, Error> {
        run::run(self).await
    }
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovery").field("options", &self.options).finish_non_exhaustive()
    }
}
