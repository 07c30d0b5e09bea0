//! What goes on after the response head has left: streaming bodies and WebSockets, over real connections.
//!
//! The layer commits before the head leaves, since the cookie is in it. So whoever writes later must be
//! told that nobody will commit it, and has a handle of his own for that: `detach()` and `save()`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod after_the_head;
mod app;
mod line;
