//! What a recovery did.

use std::{collections::BTreeMap, fmt};

use crate::{
    clock::Timestamp,
    id::{EventId, SessionRef, Shard},
    record::FieldName,
};

/// How many problems are kept one by one.
const MAX_PROBLEMS: usize = 10_000;

/// What a recovery did, or in a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Sessions in the trail, as far as they were asked for.
    pub sessions: u64,
    /// Put back.
    pub restored: u64,
    /// Left alone: a session is there already, restored before or in use.
    pub present: u64,
    /// Over, by the trail or by Redis.
    pub ended: u64,
    /// Past their deadline or, where it is counted from the last write, their idle time.
    pub expired: u64,
    /// Begun after the moment that was asked for.
    pub later: u64,
    /// Not put back, for a reason that is among the problems.
    pub left_out: u64,
    /// What the trail does not tell or tells otherwise than it should, the first 10,000.
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub more_problems: u64,
    /// The newest row of each shard among those that were read. What happened later was lost with Redis.
    pub known_until: BTreeMap<Shard, Timestamp>,
    /// On how many shards the epoch in Redis was lower than the trail's, and was raised to it.
    pub epochs_raised: u64,
    /// Rows of sessions that were read.
    pub rows: u64,
    /// Sessions of which a [snapshot](crate::audit::Snapshots) stood for the first rows.
    pub since_snapshots: u64,
    /// Rows of this namespace that should name a session and name none: nobody could read them.
    pub rows_without_session: u64,
}

/// Something about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The session, by its newest ref.
    pub session: SessionRef,
    /// What about it.
    pub kind: ProblemKind,
}

/// What there is to say about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Restored without these keys: they were secret, and their values never left Redis.
    SecretsLost(Vec<FieldName>),
    /// Redis lost acknowledged changes in a failover, and the trail has them: the branch that was written
    /// last was chosen, and these are the last events of the others.
    Forked(Vec<EventId>),
    /// Versions are missing, from and to. Left out, unless gaps were accepted.
    Gapped(Vec<(u64, u64)>),
    /// The epoch of its shard was raised, and the trail does not tell when: perhaps after it began. Left out,
    /// unless gaps were accepted.
    EpochUntold,
    /// Its first rows are missing, so that nobody knows how long it may live. Left out.
    BeginningMissing,
    /// This release can't read these rows. Left out, unless gaps were accepted.
    Unreadable(Vec<EventId>),
    /// Values of it were erased. Left out.
    Erased,
    /// It wrote something since the moment that was asked about. Left out.
    ActiveSince,
    /// The trail says that it ended, and Redis has it. It was left alone.
    AliveThoughEnded,
}

impl RecoveryReport {
    pub(super) fn add(&mut self, session: SessionRef, kind: ProblemKind) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { session, kind });
        } else {
            self.more_problems += 1;
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        match &self.kind {
            ProblemKind::SecretsLost(keys) => {
                write!(f, "restored without its secret keys {keys:?}")
            }
            ProblemKind::Forked(ends) => {
                write!(f, "its history has {} branches; the last written was chosen", ends.len() + 1)
            }
            ProblemKind::Gapped(gaps) => {
                f.write_str("versions are missing:")?;
                gaps.iter().try_for_each(|(from, to)| write!(f, " {from}–{to}"))
            }
            ProblemKind::EpochUntold => {
                f.write_str("the epoch of its shard was raised, and the trail does not tell when")
            }
            ProblemKind::BeginningMissing => f.write_str("its first rows are missing"),
            ProblemKind::Unreadable(rows) => write!(f, "{} rows can't be read", rows.len()),
            ProblemKind::Erased => f.write_str("its values were erased"),
            ProblemKind::ActiveSince => f.write_str("it was active in the time that was asked about"),
            ProblemKind::AliveThoughEnded => f.write_str("it ended by the trail, and is alive in Redis"),
        }
    }
}
