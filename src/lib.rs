//! Drop-in server-side sessions for Rust web services: a `tower` layer for axum and any other service
//! over `http` types, a middleware for actix-web; Redis is the source of truth, and an audit trail goes
//! to PostgreSQL.
//!
//! * **Nothing is lost.** A request commits only the keys that it changed, checked against the version
//!   that it loaded: two requests that change different keys both succeed, and where both change one
//!   key, the later is replayed on the newer value or told so.
//! * **Nothing is revived.** A commit changes a session that exists and never makes one; what was signed
//!   out stays signed out, however slow a request is.
//! * **Nothing is leaked.** Redis, PostgreSQL and the logs hold one-way hashes of tokens. A dump of any
//!   of them opens no session.
//! * **It can be proved.** With an audit trail, a change and its entry are written by one script,
//!   together or not at all.
//! * **It costs what it must.** One round trip for a request that reads, two for one that writes, none
//!   for one without a session; the timeout's refresh, the check and the audit entry included.
//!
//! # Start
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use cloakroom::{service::SessionLayer, session::{Key, Session}, store::MemoryStore};
//!
//! const VISITS: Key<u64> = Key::new("visits");
//!
//! async fn visit(session: Session) -> Result<String, cloakroom::error::Error> {
//!     session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
//!     Ok(format!("visit number {}", session.get(VISITS)?.unwrap_or(0)))
//! }
//!
//! let app: Router = Router::new()
//!     .route("/", get(visit))
//!     // In production: `RedisStore::new("redis://127.0.0.1")?`.
//!     .layer(SessionLayer::new(MemoryStore::new()));
//! # }
//! ```
//!
//! The cookie is `Secure`, so a browser sends it over HTTPS only; for plain HTTP on your own machine
//! there is [`CookieConfig::insecure_for_local_development`](cookie::CookieConfig::insecure_for_local_development).
//!
//! # Where to look
//!
//! | | |
//! |---|---|
//! | [`guide::promise`] | what merges, what conflicts, what is final, and what each costs |
//! | [`session`] | the handle: reading, writing, signing in and out |
//! | [`service`] | the layer, and when it answers in the handler's place |
//! | `axum` (feature) | the extractors |
//! | `actix` (feature) | the middleware and the extractors |
//! | `tower_sessions`, `actix_session` (features) | our stores under these libraries |
//! | [`manager`] | the configuration, shared by all adapters |
//! | [`store`] | the contract of a store, [`MemoryStore`](store::MemoryStore), `RedisStore` |
//! | `store::redis` | every key and every command |
//! | [`cookie`] | how the cookie is written and read |
//! | [`header`] | the token in a header instead, for clients that are no browsers |
//! | [`guide`] | moving here from other session libraries, with live sessions |
//! | [`audit`] | the trail, and the writer that brings it to PostgreSQL |
//! | [`id`], [`record`], [`clock`], [`error`] | the words they all use |
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `redis` | yes | `RedisStore` on one server |
//! | `cluster` | | `RedisStore` on Redis Cluster |
//! | `tls` | | `rediss://`, and TLS to PostgreSQL |
//! | `axum` | | the axum 0.8 extractors |
//! | `actix` | | the actix-web 4 middleware and extractors |
//! | `tower-sessions`, `tower-sessions-014` | | our stores under tower-sessions 0.15 and 0.14, so also axum-login 0.18 |
//! | `actix-session` | | our stores under actix-session 0.11 |
//! | `audit` | | the audit queue and its writer to PostgreSQL |
//!
//! # What it expects
//!
//! Redis 7.0 or newer with `maxmemory-policy noeviction`; PostgreSQL 14 or newer for the
//! trail; tokio. The clocks of the instances decide nothing: only Redis' own clock does.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod audit;
pub mod clock;
pub mod cookie;
pub mod error;
pub mod events;
pub mod guide;
pub mod header;
pub mod id;
pub mod manager;
pub mod record;
pub mod service;
pub mod session;
pub mod store;

#[cfg(feature = "actix")]
#[path = "../integrations/actix/mod.rs"]
pub mod actix;
#[cfg(feature = "actix-session")]
#[path = "../integrations/actix_session/mod.rs"]
pub mod actix_session;
#[cfg(feature = "axum")]
#[path = "../integrations/axum/mod.rs"]
pub mod axum;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014", feature = "actix-session"))]
#[path = "../integrations/bridge/mod.rs"]
pub mod bridge;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
#[path = "../integrations/tower_sessions/mod.rs"]
pub mod tower_sessions;
