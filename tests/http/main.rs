//! One behaviour suite over HTTP, run unchanged over every adapter and every store.
//!
//! A test is written once, as `async fn(Setup)`, and listed in one of the macros below, which makes of it
//! `module::axum_redis::the_test`, `module::tower_cluster::the_test` and so on: `cargo test --test http
//! axum_redis` runs one column, `cargo test --test http logout::` one row.
//!
//! A new adapter is a variant of [`harness::Adapter`] and a line in each macro.

// A test that fails should panic, at the line where it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;
#[path = "../support/meta.rs"]
mod meta;

/// Each test for every adapter and every store.
macro_rules! everywhere {
    ($($test:ident),* $(,)?) => {
        expand!(tower_memory, Tower, Memory, $($test)*);
        expand!(axum_memory, Axum, Memory, $($test)*);
        expand!(actix_memory, Actix, Memory, $($test)*);
        expand!(tower_redis, Tower, Redis, $($test)*);
        expand!(axum_redis, Axum, Redis, $($test)*);
        expand!(actix_redis, Actix, Redis, $($test)*);
        expand!(tower_cluster, Tower, Cluster, $($test)*);
        expand!(axum_cluster, Axum, Cluster, $($test)*);
        expand!(actix_cluster, Actix, Cluster, $($test)*);
    };
}

/// Each test for every adapter on one Redis server: for those that count its commands, stop it, or write
/// into it.
macro_rules! on_redis {
    ($($test:ident),* $(,)?) => {
        mod on_redis {
            use super::*;
            expand!(tower_redis, Tower, Redis, $($test)*);
            expand!(axum_redis, Axum, Redis, $($test)*);
            expand!(actix_redis, Actix, Redis, $($test)*);
        }
    };
}

/// Each test for every adapter on a store whose clock the test moves.
macro_rules! by_the_clock {
    ($($test:ident),* $(,)?) => {
        mod by_the_clock {
            use super::*;
            expand!(tower_memory, Tower, Memory, $($test)*);
            expand!(axum_memory, Axum, Memory, $($test)*);
            expand!(actix_memory, Actix, Memory, $($test)*);
        }
    };
}

/// Each test for axum alone, whose extractors the bare Tower service does not have.
macro_rules! axum_only {
    ($($test:ident),* $(,)?) => {
        mod axum_only {
            use super::*;
            expand!(axum_memory, Axum, Memory, $($test)*);
            expand!(axum_redis, Axum, Redis, $($test)*);
        }
    };
}

/// Each test for actix-web alone. What its extractors share with axum's is listed under both.
macro_rules! actix_only {
    ($($test:ident),* $(,)?) => {
        mod actix_only {
            use super::*;
            expand!(actix_memory, Actix, Memory, $($test)*);
            expand!(actix_redis, Actix, Redis, $($test)*);
        }
    };
}

macro_rules! expand {
    ($column:ident, $adapter:ident, $backend:ident, $($test:ident)*) => {
        mod $column {
            use crate::harness::{Adapter, Backend, Setup};
            $(
                #[test]
                fn $test() {
                    Setup::run(Adapter::$adapter, Backend::$backend, super::$test);
                }
            )*
        }
    };
}

mod actix;
mod advisories;
mod anonymous;
mod caching;
mod cancellation;
mod commands;
mod cookies;
mod detached;
mod development;
mod extractors;
mod forged;
mod freshness;
mod header_transport;
mod interleaving;
mod limits;
mod login;
mod logout;
mod merging;
mod operations;
mod outage;
mod panics;
mod peeking;
mod pending;
mod policies;
mod readiness;
mod reauthentication;
mod remembered;
mod renewal;
mod replay;
mod resurrection;
mod session_cap;
mod session_costs;
mod sessions;
mod strict;
mod taking;
mod timeouts;
mod together;
