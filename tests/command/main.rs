//! The `cloakroom` command as an operator meets it: the program itself, on servers that the test starts, kills
//! and looks into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod dead;
mod erase;
mod explain;
mod program;
mod recover;
mod refusals;
mod revoke;
mod site;
mod snapshot;
mod status;
mod verify;
mod writer;
