//! The audit trail: who was signed in, what changed and when, from the commit into PostgreSQL.
//!
//! An [`Entry`] is written by the very script that makes the change, as its first write: a change and
//! its entry exist together or not at all. With Redis it waits in a stream until an `AuditWriter`
//! (feature `audit`) has stored it in PostgreSQL; the hot path never waits for PostgreSQL.
//! [`MemoryStore`](crate::store::MemoryStore) keeps its trail in memory, for development.

mod context;
mod describe;
mod entry;
#[cfg(feature = "audit")]
mod erasure;
#[cfg(feature = "audit")]
mod history;
mod overflow;
#[cfg(feature = "audit")]
mod postgres;
#[cfg(feature = "audit")]
mod queue;
#[cfg(feature = "audit")]
pub mod recovery;
#[cfg(feature = "audit")]
pub mod seal;
#[cfg(feature = "audit")]
mod snapshots;
#[cfg(feature = "audit")]
mod trail;
#[cfg(feature = "audit")]
pub mod verify;
#[cfg(feature = "audit")]
mod writer;

pub use context::{ClientIp, RequestContext};
pub use entry::{AuditDetail, DeltaView, Entry, EntryKind, ParsedPayload, Payload};
pub use overflow::AuditOverflow;
#[cfg(feature = "audit")]
pub use {
    history::{HistoryEvent, KeyState, KeyValue, SessionState, UserSession, history, sessions_of},
    postgres::{AuditPool, check_schema, migrate, retain},
    queue::{AuditQueue, DeadLetter, DeadLetterId, Lease, QueueStatus, ShardStatus},
    recovery::Recovery,
    snapshots::{SnapshotReport, Snapshots},
    verify::Verify,
    writer::{AuditWriter, Report, Stop},
};
