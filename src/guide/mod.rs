//! Pages to read: [what this crate promises](promise), and how to move here.
//!
//! Moving here from another session library: name by name, what behaves otherwise, and how to take live
//! sessions along so that nobody is signed out.
//!
//! | from | its sessions can stay where they are, under a bridge | page |
//! |---|---|---|
//! | tower-sessions, axum-login | yes, features `tower-sessions`, `tower-sessions-014` | [`from_tower_sessions`] |
//! | actix-session | yes, feature `actix-session` | [`from_actix_session`] |
//! | axum_session | | [`from_axum_session`] |
//! | express-session (Node) | | [`from_express_session`] |
//! | Spring Session (Java) | | [`from_spring_session`] |
//!
//! # Live sessions
//!
//! Whatever they come from, they are moved one at a time, each when its owner next comes by:
//!
//! 1. A middleware between the layer and the handlers looks for the old cookie. Without one it does
//!    nothing, and so costs nothing.
//! 2. If the request has no session of ours, it reads the old session from the old store, writes what is
//!    worth keeping into ours, and signs the user in with [`login`](crate::session::Session::login).
//! 3. It stores ours with [`save`](crate::session::Session::save), and *then* removes the old one and its
//!    cookie. Whatever fails in between, the visitor is still signed in, and the next request tries again.
//! 4. When the longest-lived old session would have expired, the middleware and the old store go.
//!
//! The two cookies need two names. `examples/move_from_tower_sessions` is all of this as an application
//! with its tests; step 2 and 3 are the same everywhere:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use cloakroom::{error::Error, session::{Login, Saved, Session}};
//! use serde_json::Value;
//!
//! /// True if the old session may be removed now.
//! async fn take_over(
//!     session: &Session,
//!     user: Option<String>,
//!     values: BTreeMap<String, Value>,
//! ) -> Result<bool, Error> {
//!     for (key, value) in &values {
//!         session.insert(key.as_str(), value)?;
//!     }
//!     if let Some(user) = user {
//!         session.login(Login::user(user).by("moved").carry_all())?;
//!     }
//!     Ok(matches!(session.save().await?, Saved::Saved(_)))
//! }
//! ```
//!
//! Two requests of one visitor that are the first at the same moment both move the session: there are
//! two with the same content, the browser keeps the cookie that arrived later, and the other session
//! runs out after its idle timeout.
//!
//! # What is the same wherever one comes from
//!
//! * A token is 43 characters instead of theirs, in a cookie with a name of its own, and only its hash is
//!   stored: no session can be copied from store to store, it has to be made anew.
//! * Nothing is committed when a handler answers 5xx, save that the session ends.
//! * A session lives for one hour without a request, each of which starts that hour again, and for 24
//!   hours at most. Both are set on [`SessionConfig`](crate::manager::SessionConfig).
//! * Values are JSON, each under its own key. What was one big object under one key merges and conflicts
//!   as one: give its parts keys of their own.

#[doc = include_str!("from_actix_session.md")]
pub mod from_actix_session {}
#[doc = include_str!("from_axum_session.md")]
pub mod from_axum_session {}
#[doc = include_str!("from_express_session.md")]
pub mod from_express_session {}
#[doc = include_str!("from_spring_session.md")]
pub mod from_spring_session {}
#[doc = include_str!("from_tower_sessions.md")]
pub mod from_tower_sessions {}
#[doc = include_str!("promise.md")]
pub mod promise {}
