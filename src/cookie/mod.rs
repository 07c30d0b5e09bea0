//! The session cookie: how it is written ([`CookieConfig`]) and how it is read.
//!
//! By default it is
//!
//! ```text
//! Set-Cookie: __Host-Http-id=<43 characters>; HttpOnly; SameSite=Lax; Secure; Path=/
//! ```
//!
//! * `__Host-` keeps sibling hosts from setting it, `Http-` keeps scripts from setting it where the
//!   browser knows that prefix (RFC 6265bis §4.1.3); the rest of the name tells nothing.
//! * No `Domain`, `Path=/`, `Secure`, `HttpOnly`, `SameSite=Lax` (ASVS 3.3.1–3.3.4).
//! * No `Max-Age`: it goes with the browser session (NIST SP 800-63B-4 §5.1.1), unless asked for.
//!
//! Reading works on the raw bytes of every `Cookie` line and compares names exactly. Nothing is
//! percent-decoded, unquoted or trimmed beyond space and tab, since that is how a forged
//! `%5F%5FHost-Http-id` or a name behind U+00A0 passes as the real one elsewhere. Two cookies of our
//! name mean that somebody else could set one: the request is anonymous, whichever came first.

mod config;
mod read;

pub use config::{CookieBuilder, CookieConfig, SameSite};
pub use read::{Presented, read};
