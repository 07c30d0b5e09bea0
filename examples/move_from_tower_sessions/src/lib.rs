//! An application [before](before::app) and [after](after::app) its move from tower-sessions, and the
//! [middleware](move_in::move_in) that takes its live sessions along, so that nobody is signed out.
//!
//! Both have `GET /count`, `/sign-in`, `/account` and `/sign-out`. (They would be posts in earnest.)

pub mod after;
pub mod before;
pub mod move_in;

/// The cookie of the old sessions. It must not be named as the new one.
pub const OLD_COOKIE: &str = "sid";
