//! Many requests at a time over two instances of the application, and whether what they saw can be.
//!
//! [`site`] lets tasks loose on a handful of sessions and writes down what each request saw; [`checker`] then
//! looks for anything that the library's promises exclude. [`control`] shows that it would find it: through
//! a proxy that replaces a piece of a script ([`mutants`]), each broken promise is named.

// A test that fails should panic, at the line where it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod app;
mod checker;
mod control;
mod evidence;
mod faults;
mod healthy;
mod history;
mod lossy;
#[path = "../support/meta.rs"]
mod meta;
mod mutants;
mod proxy;
mod site;
