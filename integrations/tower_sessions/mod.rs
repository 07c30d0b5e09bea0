//! Any store of this crate as a store of [tower-sessions], and so of what is built on it, such as
//! axum-login.
//!
//! An application on tower-sessions changes one line and has its sessions under hashes instead of ids,
//! with a lifetime that no save prolongs for ever, a version, and an audit trail:
//!
//! ```
//! # #[cfg(feature = "tower-sessions")] {
//! use cloakroom::{bridge::Bridge, store::MemoryStore};
//!
//! // In production: `Bridge::new(RedisStore::new("redis://127.0.0.1")?)`.
//! let store = Bridge::new(MemoryStore::new());
//! // let layer = SessionManagerLayer::new(store);
//! # fn is_a_store(_: impl tower_sessions_core_015::SessionStore) {}
//! # is_a_store(store);
//! # }
//! ```
//!
//! The feature `tower-sessions` is for release 0.15, `tower-sessions-014` for 0.14, which axum-login
//! 0.18 needs. Both write the same, so an upgrade from one to the other keeps every session.
//!
//! # What it does
//!
//! | they ask | it does | round trips to Redis |
//! |---|---|---|
//! | `create` | a session that was not there; an id that is or was in use is replaced by a new one | 1 |
//! | `load` | the whole session, or `None`; the timeout goes on running, as in their other stores | 1, or 2 where there is none |
//! | `save` | makes the session into this record, in one step | 2 |
//! | `delete` | ends the session, and remembers for a day that it ended | 1 |
//!
//! A record's expiry date is its time to live: how far away it is by the clock of the instance that
//! saves, counted from then on by Redis. A date in the past ends the session.
//!
//! # What a whole record can't carry
//!
//! The interface hands over a complete record and its id. It does not say which keys a request changed,
//! what it had read, who is signed in, or that this is a logout. So these promises of
//! [`Session`](crate::session::Session) do **not** hold behind this bridge:
//!
//! * **No merge.** Of two requests that change different keys at a time, the later save wins with all
//!   its keys, and the other's change is lost without a word.
//! * **No conflicts.** Nothing tells the losing request.
//! * **No user.** The store does not know whose a session is: no sign-in in the trail, nothing by user.
//! * **No reason.** Every `delete` is `destroyed` in the trail, be it a logout or a new id.
//! * **No request.** The trail has no method, route or address.
//!
//! One does: **nothing is revived.** `save` changes a session that exists and never makes one. A request
//! that saves after a logout, a new id, or the end of the session's time gets an error, which
//! tower-sessions answers with 500 and without a cookie; their other stores write the session again. (The
//! trait asks `save` for no more than updating what exists.) It follows that this is no store for the
//! cache side of their `CachingSessionStore`, which fills its cache by `save`.
//!
//! # The next step
//!
//! Put [`SessionLayer`](crate::service::SessionLayer) on the routes and take
//! [`Session`](crate::session::Session) in the handlers: see [`guide::from_tower_sessions`](crate::guide::from_tower_sessions), also for how
//! to take live sessions along.
//!
//! [tower-sessions]: https://docs.rs/tower-sessions

mod convert;
mod store;
