//! What both skins share: from a request's bytes to a loaded [`Session`](crate::session::Session), and
//! from a finished handler to what the response must say.
//!
//! The Tower service and the actix-web middleware only translate: actix-web still has its own `http`
//! types, so everything in here speaks bytes and strings.

mod caching;
mod config;
mod loopback;
mod refusal;
mod request;
mod turn;

pub use caching::{CacheHeaders, cache_headers};
pub use config::{Load, SessionConfig};
pub use refusal::Refusal;
pub use request::RequestHead;
pub use turn::{Ending, Manager, Opening};
