//! Snapshots, which bound how much of the trail a recovery reads.

use std::{fmt, time::Duration};

use sqlx::{PgPool, Postgres, Transaction};

use super::{
    erasure::Erasures,
    seal::{SealKey, SealPublicKey},
    trail::{Snapshot, Walk, broken},
};
use crate::{clock::Timestamp, error::Error};

/// How many sessions are read at a time.
const PAGE: u16 = 500;

/// Writes down what sessions with a long history came to, so that a [`Recovery`](crate::audit::Recovery) begins there
/// and not with their first row. And where [`retain`](crate::audit::retain) has dropped the months in which a session
/// began, its snapshot is all that it can be recovered from: make them more often than months are dropped.
///
/// Once a day, say, by the account that runs `retain`: snapshots are the owner's to write. A run reads the trail as a
/// recovery would, each session from its last snapshot on, and asks nothing of Redis.
///
/// # What is trusted
///
/// A snapshot holds nothing that its rows did not. It is made of versions that follow one another without a gap, a
/// fork or an erased row, that were stored some minutes ago. If a row of an earlier version is stored after all, by a
/// writer that was cut off for long or from a history that a failover gave up, or if what comes next follows something
/// else, the snapshot is passed over and all rows are read. A session that has ended gets none. The last two of a
/// session are kept; for a moment before these, all rows are read.
///
/// [`erase`](crate::audit::seal::erase) deletes the snapshots of the user's sessions. It may run at the same time: what
/// was read before it is not stored after it, but read again.
///
/// # Who says that it is true
///
/// Who may write the table can change what a recovery puts into Redis. So give the run a key, by
/// [`sealed_by`](Self::sealed_by), and tell a recovery [whose snapshots to take](crate::audit::Recovery::snapshots_signed_by):
/// it reads the rows of any other session. [`Verify`](crate::audit::Verify) names every snapshot that its rows do not
/// come to, where they are there; and with keys also one whose signature is wrong or, where rows are sealed, missing.
/// Only one that is signed excuses then that first rows are missing, as those of a month that was dropped are.
///
/// A run without a key takes what is there and signs nothing. The first one with a key reads all rows of each session
/// again: let it come before the next month is dropped, since what can't be read can't be signed.
///
/// # Limits
///
/// * Without keys nobody can tell a snapshot that was changed from one that was not, once its rows are dropped.
/// * A session without a row that is kept is not found, and its snapshots go with its last row, also if it was in use by
///   reads alone since: a session that has ended in that month would look the same, and come back.
/// * To know that no row was stored late, PostgreSQL looks up in an index each row that a snapshot stands for, though it
///   sends none.
///
/// ```no_run
/// # async fn f(pool: sqlx::PgPool) -> Result<(), cloakroom::error::Error> {
/// use cloakroom::audit::Snapshots;
///
/// let report = Snapshots::new(pool, "session").run().await?;
/// println!("{} of {} sessions", report.made, report.sessions);
/// # Ok(()) }
/// ```
#[must_use = "nothing happens until `run` is awaited"]
pub struct Snapshots {
    pool: PgPool,
    namespace: String,
    every: u64,
    settle: Duration,
    key: Option<SealKey>,
    trusted: Vec<SealPublicKey>,
    progress: Box<dyn FnMut(&SnapshotReport) + Send>,
}

/// What [`Snapshots::run`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// Sessions in the trail.
    pub sessions: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Snapshots that were made.
    pub made: u64,
}

impl Snapshots {
    /// Of the sessions of this namespace of the store.
    pub fn new(pool: PgPool, namespace: impl Into<String>) -> Self {
        let (every, settle) = (200, Duration::from_secs(300));
        Self {
            pool,
            namespace: namespace.into(),
            every,
            settle,
            key: None,
            trusted: Vec::new(),
            progress: Box::new(|_| {}),
        }
    }

    /// After how many versions a session gets another. Default: 200. At least 1.
    pub fn every(mut self, versions: u64) -> Self {
        self.every = versions.max(1);
        self
    }

    /// How long ago a row must have been stored. Default: five minutes; longer than any transaction of a writer takes.
    pub fn settle(mut self, span: Duration) -> Self {
        self.settle = span;
        self
    }

    /// Signs each, so that a [`Recovery`](crate::audit::Recovery::snapshots_signed_by) and a
    /// [`Verify`](crate::audit::Verify) can tell one that was changed or forged: with the
    /// [writer's key](crate::audit::AuditWriter::seal), or one of its own. Goes on only from snapshots of this key, or of
    /// [those before it](Self::signed_by): where there is none, it reads all rows. Default: none are signed.
    pub fn sealed_by(mut self, key: SealKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Goes on from snapshots of these keys, too: those that were used before. Needs [`sealed_by`](Self::sealed_by).
    pub fn signed_by(mut self, keys: impl IntoIterator<Item = SealPublicKey>) -> Self {
        self.trusted.extend(keys);
        self
    }

    /// Is told how far it has come, after every page of a few hundred sessions.
    pub fn on_progress(mut self, tell: impl FnMut(&SnapshotReport) + Send + 'static) -> Self {
        self.progress = Box::new(tell);
        self
    }

    /// Does it. Safe to repeat, to drop in the middle, and to run twice at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when PostgreSQL does not answer: what was made
    /// until then stays. [`ErrorKind::Config`](crate::error::ErrorKind::Config) where the account may not write
    /// snapshots, or the schema is of an earlier release.
    pub async fn run(mut self) -> Result<SnapshotReport, Error> {
        let mut report = SnapshotReport::default();
        let now = "SELECT (extract(epoch FROM now()) * 1000000)::int8";
        let now: i64 = sqlx::query_scalar(now).fetch_one(&self.pool).await.map_err(broken)?;
        let settled = now.saturating_sub(i64::try_from(self.settle.as_micros()).unwrap_or(i64::MAX));
        let walk =
            Walk::new(self.pool.clone(), &self.namespace, None, Timestamp::from_millis(u64::MAX), PAGE);
        // Whoever signs vouches for what was before.
        let trusted = self.key.as_ref().map(|key| self.trusted.into_iter().chain([key.public()]).collect());
        let mut walk = walk.since_snapshots().settled(settled).signed_by(trusted);
        let erasures = Erasures::of(&self.pool, &self.namespace).await.map_err(broken)?;
        loop {
            let erased = erasures.count().await.map_err(broken)?;
            let Some(page) = walk.next().await? else { return Ok(report) };
            report.rows += page.rows;
            let sessions = u64::try_from(page.histories.len()).unwrap_or(0);
            let made = page.histories.into_iter().filter_map(|history| history.snapshot(self.every));
            let made: Vec<Snapshot> = made.collect();
            if !made.is_empty() {
                let unerased = erasures.none_since(erased).await.map_err(broken)?;
                let Some(transaction) = unerased else {
                    walk.again();
                    continue;
                };
                let key = self.key.as_ref();
                report.made += store(transaction, &self.namespace, (settled, now), key, made).await?;
            }
            report.sessions += sessions;
            (self.progress)(&report);
        }
    }
}

/// Tells how many were not there yet.
async fn store(
    mut transaction: Transaction<'_, Postgres>,
    namespace: &str,
    (settled, now): (i64, i64),
    key: Option<&SealKey>,
    mut snapshots: Vec<Snapshot>,
) -> Result<u64, Error> {
    // Two runs at once wait for one another here: in the same order, so that none waits for ever.
    snapshots.sort_by_key(|snapshot| snapshot.root);
    let mut new = 0;
    for snapshot in snapshots {
        new += u64::from(snapshot.store(&mut transaction, namespace, (settled, now), key).await?);
    }
    transaction.commit().await.map_err(broken)?;
    Ok(new)
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").field("every", &self.every).finish_non_exhaustive()
    }
}
