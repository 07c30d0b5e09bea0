//! Any store of this crate as a store of [actix-session].
//!
//! An application on actix-session changes one line and has its sessions under hashes instead of keys,
//! with a lifetime that no request prolongs for ever, a version, and an audit trail:
//!
//! ```
//! use cloakroom::{bridge::Bridge, store::MemoryStore};
//!
//! // In production: `Bridge::new(RedisStore::new("redis://127.0.0.1")?)`.
//! let store = Bridge::new(MemoryStore::new());
//! // let middleware = SessionMiddleware::new(store, key);
//! # fn is_a_store(_: impl actix_session::storage::SessionStore) {}
//! # is_a_store(store);
//! ```
//!
//! # What it does
//!
//! | they ask | it does | round trips to Redis |
//! |---|---|---|
//! | `load` | the whole state, or `None`; the timeout goes on running | 1, or 2 where there is none |
//! | `save` | a session under a fresh key of theirs | 1 |
//! | `update` | makes the session into this state, in one step | 2 |
//! | `update_ttl` | restarts the timeout; neither version nor trail | 1 |
//! | `delete` | ends the session, and remembers for a day that it ended | 1 |
//!
//! # What a whole state can't carry
//!
//! The interface hands over the complete state and its key. It does not say which keys a request
//! changed, what it had read, who is signed in, or that this is a logout. So these promises of
//! [`Session`](crate::session::Session) do **not** hold behind this bridge:
//!
//! * **No merge.** Of two requests that change different keys at a time, the later update wins with all
//!   its keys, and the other's change is lost without a word.
//! * **No conflicts.** Nothing tells the losing request.
//! * **No user.** The store does not know whose a session is: no sign-in in the trail, nothing by user.
//! * **No reason.** Every `delete` is `destroyed` in the trail: a purge, or the first half of a renewal.
//! * **No request.** The trail has no method, route or address.
//!
//! **No revival** holds as far as anything is known of the end. An update of a session that was purged
//! or renewed, or that reached its absolute timeout, is an error, which actix-session answers with 500
//! and without a cookie. Where nothing is known, the session's idle time ran out in the middle of the
//! request, and the state is saved under a new key, as in their own Redis store, whose tests ask for it.
//!
//! # The next step
//!
//! Take our own layer, whose sessions are loaded and committed by key: see [`guide::from_actix_session`](crate::guide::from_actix_session).
//!
//! [actix-session]: https://docs.rs/actix-session

mod store;
