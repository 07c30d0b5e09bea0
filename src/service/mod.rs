//! Sessions for any `tower` service over `http` types: axum, plain hyper, and others.
//!
//! [`SessionLayer`] puts a [`Session`](crate::session::Session) into the request's extensions, commits
//! it when the inner service has answered and before the response head leaves, and sets the cookie
//! when there is a reason to.
//!
//! ```
//! use cloakroom::{service::SessionLayer, session::Session, store::MemoryStore};
//! use http::{Request, Response};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut service = SessionLayer::new(MemoryStore::new()).layer(service_fn(
//!     async |request: Request<()>| {
//!         let session = request.extensions().get::<Session>().expect("the layer put it there");
//!         session.insert("greeted", &true)?;
//!         Ok::<_, cloakroom::error::Error>(Response::new(String::new()))
//!     },
//! ));
//! let response = service.ready().await?.call(Request::new(())).await?;
//! assert!(response.headers()["set-cookie"].to_str()?.starts_with("__Host-Http-id="));
//! # Ok(()) }
//! ```
//!
//! # When the layer answers itself
//!
//! | | status | cookie |
//! |---|---|---|
//! | the store is out of reach, at load (the handler does not run) or at commit | 503, `Retry-After` | untouched |
//! | a [conflict](crate::store::Policy) that can't be replayed | 409, the keys in `session-conflict` | untouched |
//! | the session ended while the request was under way | 409 | removed |
//! | the local-development cookie on another host | 400 | untouched |
//! | a session cookie and a session token in a [header](crate::header) | 400 | untouched |
//!
//! These responses have an empty body and carry the [`Refusal`](crate::manager::Refusal) in their
//! extensions; [`SessionLayer::with_reply`] takes another [`Reply`].

mod future;
mod head;
mod headers;
mod layer;
mod reply;
mod session_service;

pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub use reply::{EmptyBody, Reply, TextBody};
pub use session_service::SessionService;
