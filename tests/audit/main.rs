//! The way of an audit entry from Redis into PostgreSQL, with faults that are real: processes killed with
//! SIGKILL, servers stopped, rows that the table refuses.
//!
//! What must hold each time is in [`checker`], which knows nothing of the writer: it compares what the
//! sessions' commits acknowledged with what is in the table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod attempts;
mod checker;
mod cluster;
mod crashes;
mod dead;
mod duplicates;
mod history;
mod namespaces;
mod operations;
mod outages;
mod partitions;
mod poison;
mod pressure;
mod process;
mod resharding;
mod retention;
mod roles;
mod secrecy;
mod sessions;
mod setup;
mod site;
mod slow;
mod status;
mod stopping;
mod traffic;
mod trouble;
