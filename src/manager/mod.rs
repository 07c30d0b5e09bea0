//! What both skins share: from a request's bytes to a loaded [`Session`](crate::session::Session), and
//! from a finished handler to what the response must say.
//!
//! The Tower service and the actix-web middleware only translate: actix-web still has its own `http`
//! types, so everything in here speaks bytes and strings.

#[cfg(any(feature = "axum", feature = "actix"))]
mod answer;
mod caching;
mod config;
mod dress;
mod loopback;
mod refusal;
mod request;
mod touch;
mod turn;

#[cfg(any(feature = "axum", feature = "actix"))]
pub(crate) use answer::{answer, step_up};
pub use config::{Load, SessionConfig};
pub use dress::ResponseHeaders;
pub use refusal::Refusal;
pub use request::RequestHead;
pub(crate) use turn::Turn;
pub use turn::{Ending, Manager, Opening};
