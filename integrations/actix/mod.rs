//! Sessions for actix-web 4: a middleware, and extractors.
//!
//! ```
//! use actix_web::{App, test, web};
//! use cloakroom::{
//!     actix::{Authenticated, SessionMiddleware},
//!     session::Session,
//!     store::MemoryStore,
//! };
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
//! # #[actix_web::main] async fn main() {
//! // One store for all workers: `HttpServer::new(move || App::new().wrap(sessions.clone()))`.
//! let sessions = SessionMiddleware::new(MemoryStore::new());
//! let app = App::new()
//!     .route("/sign-in", web::post().to(sign_in))
//!     .route("/account", web::get().to(account))
//!     .wrap(sessions.clone());
//!
//! let app = test::init_service(app).await;
//! let response = test::call_service(&app, test::TestRequest::get().uri("/account").to_request()).await;
//! assert_eq!(response.status(), 401);
//! let response = test::call_service(&app, test::TestRequest::post().uri("/sign-in").to_request()).await;
//! let cookie = response.headers().get("set-cookie").expect("a cookie").clone();
//! let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair");
//! let request = test::TestRequest::get().uri("/account").append_header(("cookie", cookie));
//! assert_eq!(test::call_and_read_body(&app, request.to_request()).await, "signed in as alice");
//! # }
//! ```
//!
//! | extractor | gives | otherwise |
//! |---|---|---|
//! | [`Session`] | the request's session, loaded | 500 without the middleware, 503 without the store |
//! | [`Authenticated`] | it, with somebody signed in | 401, too |
//! | [`MaybeAuthenticated`] | that or nobody | never 401 |
//! | [`RequireFresh<300>`](RequireFresh) | [`Authenticated`], for 300 s at most | 401 with a step-up challenge |
//! | [`FullyAuthenticated`] | [`Authenticated`] by more than being remembered | 401 with a step-up challenge |
//! | [`PendingAuthentication`] | the session of whoever passed the first of two factors | 401 |
//! | [`SessionEnded`] | why the session before is no more, or `None` | never 401 |
//!
//! Take [`MaybeAuthenticated`] and not `Option<Authenticated>`: actix-web makes `None` of every
//! rejection, so that with [lazy loading](crate::manager::Load::Lazy) a store that is out of reach, and
//! on every route without the middleware its absence, would look like nobody being signed in.
//!
//! # Where to put it
//!
//! Around the app, a scope or a resource; what is outside of it has no session. Two of them around one
//! another, with cookies of different names, are two sessions, of which a handler gets the inner one.
//! Middleware that is to use the session is wrapped before this one, since actix-web runs the one that
//! was wrapped last first.
//!
//! What a page polls by itself should keep no session alive. The middleware decides that before it loads, so no
//! extractor can; [`with_touch_by`](crate::manager::SessionConfig::with_touch_by) does by the path, or such a scope
//! or resource has a middleware of its own, beside that of the others:
//!
//! ```
//! use actix_web::{App, web};
//! use cloakroom::{
//!     actix::SessionMiddleware, manager::SessionConfig, session::Session, store::{MemoryStore, Touch},
//! };
//!
//! async fn expires_in(session: Session) -> String {
//!     session.expires_in().map_or(0, |left| left.as_secs()).to_string()
//! }
//!
//! let store = MemoryStore::new();
//! let peeking = SessionConfig::default().with_touch(Touch::Peek);
//! let polled = web::resource("/session/expires-in")
//!     .wrap(SessionMiddleware::with_config(store.clone(), peeking))
//!     .route(web::get().to(expires_in));
//! let others = web::scope("").wrap(SessionMiddleware::new(store));
//! let app = App::new().service(polled).service(others);
//! ```
//!
//! All workers share the store's connections, and a connection is driven by the thread that opened it:
//! `store.ready().await?` before the server starts makes that the main thread. After a reconnect it is
//! the worker's that noticed, so a handler that blocks its thread may keep the others waiting for Redis.
//! Block in [`web::block`](actix_web::web::block) only.
//!
//! # When the middleware answers itself
//!
//! As [`service`](crate::service) does, with the same statuses and headers, and a line of text that
//! [`SessionMiddleware::with_reply`] replaces. An `Arc<`[`Refusal`](crate::manager::Refusal)`>` is in
//! the response's extensions.
//!
//! # Errors of handlers and of other middleware
//!
//! A handler's `Err` is a response like any other by the time that it comes here. A middleware or
//! service further inside may fail without a response: then [`ResponseError::status_code`] decides
//! whether the request counts (a 5xx commits nothing but a logout), and the cookie and the caching
//! headers are put on whatever response is made of the error, by [`Error::add_response_mapper`].
//! [`HttpResponse::from_error`] of an outer middleware leaves mappers out: use
//! [`Error::error_response`] there.
//!
//! # What outlives the response
//!
//! A request that is dropped commits nothing of what it did not [`save`](Session::save), and its session
//! takes no more writes. actix-web drops one whose client hung up only with
//! `HttpServer::h1_allow_half_closed(false)`; by default it takes a client that hung up for one that has
//! said all and listens still, and the request goes on to its end.
//!
//! Streams and WebSockets, and whatever is spawned, take [`Session::detach`] along and call
//! [`save`](Session::save) on it, which also says when the session is gone.
//!
//! [`ResponseError::status_code`]: actix_web::ResponseError::status_code
//! [`Error::add_response_mapper`]: actix_web::Error::add_response_mapper
//! [`Error::error_response`]: actix_web::Error::error_response
//! [`HttpResponse::from_error`]: actix_web::HttpResponse::from_error

mod authenticated;
mod ended;
mod error;
mod fresh;
mod future;
mod head;
mod headers;
mod middleware;
mod pending;
mod refused;
mod reply;
mod session;
mod session_service;

pub use authenticated::{Authenticated, AuthenticatedRejection, MaybeAuthenticated};
pub use ended::SessionEnded;
pub use fresh::{FreshRejection, FullyAuthenticated, RequireFresh};
pub use future::ResponseFuture;
pub use middleware::SessionMiddleware;
pub use pending::PendingAuthentication;
pub use reply::{Reply, TextBody};
pub use session::SessionRejection;
pub use session_service::SessionService;

#[cfg(doc)]
use crate::session::Session;
