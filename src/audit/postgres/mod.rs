//! The trail in PostgreSQL: table, connections, rows.
//!
//! Needs PostgreSQL 14 or later and a database in UTF-8. Everything is in a schema of its own,
//! `cloakroom`, with a table of migrations of its own, so that it lives beside the application's tables
//! and migrations in one database.
//!
//! A row can be made of every entry, however broken: see [`Row`]. What an error means is in [`classify`].

mod classify;
mod insert;
mod jsonb;
mod migrate;
mod normal;
mod pool;
mod retain;
mod row;
mod text;

pub(super) use {
    classify::{Class, Failure},
    insert::{ensure_partition, ensure_partitions_ahead, insert, insert_sealed, probe, record_dead},
    normal::normal,
    row::{Gap, RAW, Row},
    text::clean_user,
};
pub use {
    migrate::{check_schema, migrate},
    pool::AuditPool,
    retain::retain,
};
