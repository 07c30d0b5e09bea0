//! The session token in a request header, for clients that are no browsers: apps and programs.
//!
//! Off by default. A browser is served best by the cookie, which no script can read.
//!
//! ```
//! use cloakroom::{header::{HeaderConfig, Transport}, manager::SessionConfig};
//!
//! // `Authorization: Bearer <token>` in requests, `session-token: <token>` in responses. No cookies.
//! let config = SessionConfig::default().with_transport(Transport::Header(HeaderConfig::bearer()));
//!
//! // Browsers by cookie, and an app by `x-session` both ways.
//! let header = HeaderConfig::named("x-session")?;
//! let config = SessionConfig::default().with_transport(Transport::CookieOrHeader(header));
//! # Ok::<(), cloakroom::error::Error>(())
//! ```
//!
//! # The rules
//!
//! * **One way a request.** With [`Transport::CookieOrHeader`], a request with both the session cookie
//!   and the header is answered with 400, whatever the two hold: nobody can slip one in beside the other.
//! * **Nothing crosses over.** A request that came with the header gets no `Set-Cookie`, and one that
//!   came with the cookie, or with neither, gets no token in a header.
//! * **A new or renewed token** is in the response header, once. It is for the client to keep.
//! * **The end of a session** is said by that header with an empty value: forget the token.
//! * **The same token, the same parser.** One spelling; more than one header line means no session, and
//!   so does everything that is no token, without asking the store. An unknown token is never adopted.
//! * **Caches** are told `Vary` on the header, besides `Cookie` where that counts, too.
//! * **Logs** that print headers with `Debug` show `Sensitive` in its place, in requests and responses.
//!
//! # A client without a token
//!
//! With [`Transport::CookieOrHeader`] a request with neither is a browser's. A client that wants its
//! first token in a header sends the header with nothing in it: `Authorization: Bearer`, `x-session:`.
//! With [`Transport::Header`] there is nothing to choose.
//!
//! # Mind
//!
//! * A page of another origin reads the response header only if CORS exposes it
//!   (`Access-Control-Expose-Headers`), and sends the request header only if CORS allows it.
//! * A token that scripts can read is worth stealing by scripts. Never put it into a browser's storage.
//! * Where `Authorization: Bearer` carries other tokens, too, take a [named](HeaderConfig::named) header.

mod config;
mod read;

pub use config::{HeaderConfig, Transport};
pub(crate) use read::read;

/// How a request came by its session, and so how it is told of a new token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carrier {
    #[default]
    Cookie,
    Header,
}
