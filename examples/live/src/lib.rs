//! A page that stays open: it hears of each change of its user's sessions, and is closed, with the reason, within a
//! moment of the end of its own, on whichever instance that was. Once as server-sent events (`GET /events`), once as a
//! WebSocket (`GET /socket`), by axum and by actix-web.
//!
//! Both frameworks only carry what [`feed`] says. Whoever may not hold a connection open is told so in its handshake:
//! 401 if nobody is signed in, 403 to the page of another site ([`origin`]).

pub mod actix_routes;
pub mod axum_routes;
pub mod feed;
pub mod origin;

use std::time::Duration;

use cloakroom::{
    error::Error,
    session::{Key, Session},
};

/// How many notes this session has: something that changes.
const NOTES: Key<u64> = Key::new("notes");

/// The close code of a WebSocket whose session is over; the reason is the frame's text. 4000–4999 are the
/// application's (RFC 6455, 7.4.2), and this one reads like HTTP's 401.
pub const SESSION_OVER: u16 = 4401;

/// What both applications are told.
#[derive(Clone, Debug)]
pub struct Live {
    /// The origin of our own pages, as a browser spells it: `https://shop.example`.
    pub origin: String,
    /// How often an open connection counts as a use of the session, and is asked whether somebody is there.
    pub beat: Duration,
}

/// The form of `POST /sign-in`. A real application checks a password.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Name {
    name: String,
}

/// What a WebSocket brings in place of `Last-Event-ID`, which no browser lets a page send there.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Since {
    since: Option<String>,
}

fn note(session: &Session) -> Result<(), Error> {
    session.increment(NOTES, 1)
}
