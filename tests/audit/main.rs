//! The way of an audit entry from Redis into PostgreSQL, with faults that are real: processes killed with
//! SIGKILL, servers stopped, rows that the table refuses.
//!
//! What must hold each time is in [`checker`], which knows nothing of the writer: it compares what the
//! sessions' commits acknowledged with what is in the table.
//!
//! | fault | where |
//! |---|---|
//! | writers killed, at any point, under load; the control that deletes first | `crashes` |
//! | a dropped writer, SIGTERM in a batch, in a bisection, without PostgreSQL | `stopping`, `process` |
//! | PostgreSQL down for ten minutes (`CLOAKROOM_OUTAGE=600`), silent, cut in a commit | `outages`, `trouble` |
//! | PostgreSQL read-only, its table locked, slow | `trouble`, `slow` |
//! | Redis killed, with every write on disk and with every second | `outages` |
//! | a replica, 0 to 50 ms away, takes over; two primaries, then one again | `failover` |
//! | everything delivered twice, two writers at once | `duplicates` |
//! | values that PostgreSQL does not take; rows that it refuses | `poison`, `attempts`, `dead` |
//! | no partition for an entry's month | `partitions` |
//! | clocks: an entry's time is its stream id's, whatever the application's clock says | `partitions`, `dead` |
//! | Redis full, under each policy; the queue's budget used up | `pressure`, `trouble` |
//! | scripts forgotten, the queue deleted or no stream | `trouble`, `tests/faults/forgetting.rs` |
//! | entries and tables of another release | `poison`, `setup` |
//! | a shard moves, a master is silent | `resharding`, `cluster` |
//! | a row edited, a seal deleted, Redis emptied, all with live traffic | `tests/recovery` |
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
mod crowd;
mod dead;
mod duplicates;
mod failover;
mod history;
#[path = "../support/meta.rs"]
mod meta;
mod namespaces;
mod operations;
mod outages;
mod partitions;
mod poison;
mod pressure;
mod process;
#[path = "../faults/proxy.rs"]
#[allow(dead_code, reason = "these tests take a little of it")]
mod proxy;
mod resharding;
mod retention;
mod roles;
mod same_id;
mod secrecy;
mod sessions;
mod setup;
mod site;
mod slow;
mod status;
mod stopping;
mod traffic;
mod trouble;
