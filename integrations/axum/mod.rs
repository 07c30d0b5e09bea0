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
//!
//! They come before the argument that reads the body (`String`, `Json`, `Form`), which axum takes last.
//! Where a handler does not fit, `#[axum::debug_handler]` on it makes the compiler say why.

mod authenticated;
mod error;
mod fresh;
mod session;

pub use authenticated::{Authenticated, AuthenticatedRejection};
pub use fresh::{FreshRejection, RequireFresh};
pub use session::SessionRejection;

#[cfg(doc)]
use crate::session::Session;
