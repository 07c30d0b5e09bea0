//! What a client is told of an error that a handler returned.

use crate::error::{Error, ErrorKind};

/// Status and text: what kind of error it was and nothing of its cause, which goes to the log.
pub(crate) const fn answer(error: &Error) -> (u16, &'static str) {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Random | ErrorKind::Mismatch => {
            (503, "Sessions are out of reach at the moment. Please try again.\n")
        }
        ErrorKind::Limit => (413, "The session is full.\n"),
        ErrorKind::NotAuthenticated => (401, "Please sign in.\n"),
        ErrorKind::Superseded => (409, "This session was renewed. Please try again.\n"),
        _ => (500, "The session could not be processed.\n"),
    }
}
