//! Redis loses its memory, and gets it back from the trail; and both are held against one another.
//!
//! Sessions are made as visitors make them, by requests to an application over `RedisStore`; a writer drains
//! their trail; `FLUSHALL`; and after the recovery each visitor's own cookie says what became of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod app;
mod cluster;
mod epochs;
mod erasure;
mod expiry;
mod faults;
mod forks;
mod grants;
mod index;
mod long;
#[path = "../support/meta.rs"]
mod meta;
mod operations;
mod options;
mod reconcile;
mod retention;
mod seals;
mod shed;
mod signed;
mod site;
mod snapshots;
mod visitors;
