//! What a verification found.

use std::fmt;

use crate::{
    audit::{seal::Verification, trail::SnapshotFaults},
    id::{EventId, SessionRef},
    record::FieldName,
};

/// How many problems are kept one by one.
const MAX_PROBLEMS: usize = 10_000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Sessions in the trail.
    pub sessions: u64,
    /// Of these, sessions that are alive in Redis.
    pub alive: u64,
    /// Sessions of which entries still wait for a writer, and nothing else is missing.
    pub waiting: u64,
    /// What does not fit, the first 10,000.
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub more_problems: u64,
    /// Sessions of which changes are missing that the trail says were left out of it, the first 10,000: no loss
    /// that nobody told.
    pub told_gaps: Vec<Problem>,
    /// Keys of sessions in Redis that neither the trail nor the queue tells of, the first 10,000. While slots of a
    /// cluster move, one may be missed.
    pub untold: Vec<String>,
    /// Rows and seals.
    pub trail: Verification,
}

/// Something about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The session, by its newest ref.
    pub session: SessionRef,
    /// What about it.
    pub kind: Discrepancy,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discrepancy {
    /// Redis has changes that are neither in the trail nor waiting.
    Behind {
        /// The trail's last version.
        trail: u64,
        /// Redis' version; `None` where it knows that the session ended, and the trail does not.
        redis: Option<u64>,
    },
    /// The trail has changes that Redis does not have.
    Ahead {
        /// The trail's last version.
        trail: u64,
        /// Redis' version; `None` where it has nothing.
        redis: Option<u64>,
    },
    /// Versions are missing, from and to, and do not wait either.
    Gapped(Vec<(u64, u64)>),
    /// Versions are missing, from and to, at a time for which the trail tells that it left changes out.
    ToldGap(Vec<(u64, u64)>),
    /// Its history has branches; these are the last events of those that did not go on.
    Forked(Vec<EventId>),
    /// These rows are not as they were sealed.
    Edited(Vec<EventId>),
    /// Redis has other values of these keys at the same event.
    Differs(Vec<FieldName>),
    /// Redis has another user at the same event.
    OtherUser,
    /// The trail says that it ended, and Redis has it.
    AliveThoughEnded,
    /// Its first rows are missing: deleted, or in a partition that was dropped.
    BeginningMissing,
    /// This release can't read these rows.
    Unreadable(Vec<EventId>),
    /// Its snapshots at these versions do not say what its rows say, or what was signed. A recovery would put what they
    /// say into Redis, unless it is told [whose to take](crate::audit::Recovery::snapshots_signed_by).
    SnapshotEdited(Vec<u64>),
    /// Rows of it are sealed and keys were given, and none of them signed its snapshots at these versions.
    SnapshotNotSigned(Vec<u64>),
}

impl VerifyReport {
    /// Whether nothing is wrong. Entries that wait are nothing wrong, nor are gaps that the trail tells.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.untold.is_empty() && self.trail.findings.is_empty()
    }

    pub(super) fn add(&mut self, session: SessionRef, kind: Discrepancy) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { session, kind });
        } else {
            self.more_problems += 1;
        }
    }

    pub(super) fn add_snapshots(&mut self, session: SessionRef, faults: SnapshotFaults) {
        if !faults.edited.is_empty() {
            self.add(session, Discrepancy::SnapshotEdited(faults.edited));
        }
        if !faults.unsigned.is_empty() {
            self.add(session, Discrepancy::SnapshotNotSigned(faults.unsigned));
        }
    }

    pub(super) fn add_told(&mut self, session: SessionRef, versions: Vec<(u64, u64)>) {
        if self.told_gaps.len() < MAX_PROBLEMS {
            self.told_gaps.push(Problem { session, kind: Discrepancy::ToldGap(versions) });
        }
    }

    pub(super) fn add_untold(&mut self, key: String) {
        if self.untold.len() < MAX_PROBLEMS {
            self.untold.push(key);
        } else {
            self.more_problems += 1;
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        match &self.kind {
            Discrepancy::Behind { trail, redis: Some(redis) } => {
                write!(f, "behind: the trail ends at version {trail}, Redis has {redis}, and nothing waits")
            }
            Discrepancy::Behind { trail, redis: None } => {
                write!(f, "behind: it ended, and the trail ends at version {trail} without that")
            }
            Discrepancy::Ahead { trail, redis: Some(redis) } => {
                write!(f, "ahead: the trail has version {trail}, and Redis is at {redis}")
            }
            Discrepancy::Ahead { trail, redis: None } => {
                write!(f, "ahead: the trail has version {trail}, and Redis has nothing")
            }
            Discrepancy::Gapped(gaps) => {
                f.write_str("gapped: versions are missing:")?;
                gaps.iter().try_for_each(|(from, to)| write!(f, " {from}–{to}"))
            }
            Discrepancy::ToldGap(gaps) => {
                f.write_str("changes were left out of the trail, which tells so:")?;
                gaps.iter().try_for_each(|(from, to)| write!(f, " {from}–{to}"))
            }
            Discrepancy::Forked(ends) => write!(f, "forked: its history has {} branches", ends.len() + 1),
            Discrepancy::Edited(rows) => {
                f.write_str("edited: rows are not as they were sealed:")?;
                rows.iter().try_for_each(|row| write!(f, " {row}"))
            }
            Discrepancy::Differs(keys) => write!(f, "Redis has other values than the trail for {keys:?}"),
            Discrepancy::OtherUser => f.write_str("Redis has another user than the trail"),
            Discrepancy::AliveThoughEnded => f.write_str("it ended by the trail, and is alive in Redis"),
            Discrepancy::BeginningMissing => f.write_str("its first rows are missing"),
            Discrepancy::Unreadable(rows) => write!(f, "{} rows can't be read", rows.len()),
            Discrepancy::SnapshotEdited(versions) => {
                write!(f, "edited: its snapshots at versions {versions:?} are not as they were made")
            }
            Discrepancy::SnapshotNotSigned(versions) => {
                write!(f, "its snapshots at versions {versions:?} are not signed by a key that was given")
            }
        }
    }
}
