//! Extractors for axum 0.8.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use cloakroom::{axum::Authenticated, service::SessionLayer, session::Session, store::MemoryStore};
//!
//! async fn sign_in(session: Session) -> Result<&'static str, cloakroom::error::Error> {
//!     session.login("alice")?;
//!     Ok("welcome")
//! }
//!
//! async fn account(who: Authenticated) -> String {
//!     format!("signed in as {}", who.user())
//! }
//!
//! let app: Router = Router::new()
//!     .route("/sign-in", post(sign_in))
//!     .route("/account", get(account))
//!     .layer(SessionLayer::new(MemoryStore::new()));
//! ```
//!
//! | extractor | gives | otherwise |
//! |---|---|---|
//! | [`Session`] | the request's session, loaded | 500 without the layer, 503 without the store |
//! | [`Authenticated`] | it, with somebody signed in | 401, too |
//! | `Option<Authenticated>` | that or `None` | never 401 |
//! | [`RequireFresh<300>`](RequireFresh) | [`Authenticated`], for 300 s at most | 401 with a step-up challenge |
//! | [`FullyAuthenticated`] | [`Authenticated`] by more than being remembered | 401 with a step-up challenge |
//! | [`PendingAuthentication`] | the session of whoever passed the first of two factors | 401 |
//! | [`SessionEnded`] | why the session before is no more, or `None` | never 401 |
//!
//! What a page polls by itself should keep no session alive. The layer decides that before it loads, so neither an
//! extractor nor a `route_layer` inside of it can; [`with_touch_by`](crate::manager::SessionConfig::with_touch_by)
//! does by the path, or such routes have a layer of their own:
//!
//! ```
//! use axum::{Router, routing::get};
//! use cloakroom::{
//!     manager::SessionConfig, service::SessionLayer, session::Session, store::{MemoryStore, Touch},
//! };
//!
//! async fn expires_in(session: Session) -> String {
//!     session.expires_in().map_or(0, |left| left.as_secs()).to_string()
//! }
//!
//! let store = MemoryStore::new();
//! let peeking = SessionConfig::default().with_touch(Touch::Peek);
//! let polled = Router::new()
//!     .route("/session/expires-in", get(expires_in))
//!     .layer(SessionLayer::with_config(store.clone(), peeking));
//! let app: Router = Router::new()
//!     .route("/", get(async |_: Session| "hello"))
//!     .layer(SessionLayer::new(store))
//!     .merge(polled);
//! ```
//!
//! Extractors come before the argument that reads the body (`String`, `Json`, `Form`), which axum takes last.
//! Where a handler does not fit, `#[axum::debug_handler]` on it makes the compiler say why.

mod authenticated;
mod ended;
mod error;
mod fresh;
mod pending;
mod session;

pub use authenticated::{Authenticated, AuthenticatedRejection};
pub use ended::SessionEnded;
pub use fresh::{FreshRejection, FullyAuthenticated, RequireFresh};
pub use pending::PendingAuthentication;
pub use session::SessionRejection;

#[cfg(doc)]
use crate::session::Session;
