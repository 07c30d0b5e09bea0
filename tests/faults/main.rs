//! Redis misbehaves, for real: killed, stopped, full, forgetful, silent, failed over, on the move, or cut
//! off at any byte.
//!
//! Over the layer as an application uses it. What must hold each time: a bounded wait, never a 2xx for
//! what was not committed, a cookie that is left as it is, nothing half-written, and everything works
//! again without a restart of the application.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod access;
mod client;
mod cluster;
mod crowd;
mod cuts;
mod durability;
mod eye;
mod failover;
mod forgetting;
#[path = "../support/meta.rs"]
mod meta;
mod migration;
mod outage;
mod pressure;
#[allow(dead_code, reason = "other tests slow it down")]
mod proxy;
mod silence;
