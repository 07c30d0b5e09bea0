//! The trail read back: rows, the sessions that they tell of, and the way through all of them.
//!
//! [`Walk`] goes through the sessions page by page, each with all its rows from the first on, over its
//! renewals. [`History`] makes of them what the session came to, and finds what does not fit: a version
//! that is missing, two events that follow the same one, a row that nobody can read.

mod both;
mod check;
mod event;
mod finder;
mod history;
mod rows;
mod snapshot;
mod state;
mod stored;
mod walk;

use crate::{
    audit::postgres::{Class, Failure},
    error::{Error, ErrorKind},
};
pub(super) use {
    both::both,
    check::SnapshotFaults,
    event::Event,
    history::{History, Hole, Resolved},
    snapshot::Snapshot,
    state::State,
    walk::{Walk, highest_shard},
};

/// An error of a statement that only reads: it quotes no row.
pub(super) fn broken(error: sqlx::Error) -> Error {
    let failure = Failure::from(error);
    match failure.class {
        Class::Infrastructure => Error::msg(ErrorKind::Unavailable, "PostgreSQL did not answer"),
        Class::Operator | Class::Data => Error::msg(
            ErrorKind::Config,
            format!("the trail cannot be read (SQLSTATE {}): was it migrated?", failure.code),
        ),
    }
    .because(failure.message)
}
