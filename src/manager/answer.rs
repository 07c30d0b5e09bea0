//! What a client is told of an error that a handler returned.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// Status and text: what kind of error it was and nothing of its cause, which goes to the log.
pub(crate) const fn answer(error: &Error) -> (u16, &'static str) {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Random | ErrorKind::Mismatch | ErrorKind::NotReplicated => {
            (503, "Sessions are out of reach at the moment. Please try again.\n")
        }
        ErrorKind::Limit => (413, "The session is full.\n"),
        ErrorKind::NotAuthenticated => (401, "Please sign in.\n"),
        ErrorKind::Superseded => (409, "This session was renewed. Please try again.\n"),
        _ => (500, "The session could not be processed.\n"),
    }
}

/// The challenge and the text for a user whose sign-in is too old: RFC 9470, 3, under a scheme of its own,
/// since what the client has is no bearer token.
pub(crate) fn step_up(most: Duration) -> (String, &'static str) {
    let challenge = format!(
        "Session error=\"insufficient_user_authentication\", \
         error_description=\"A more recent sign-in is required\", max_age=\"{}\"",
        most.as_secs()
    );
    (challenge, "Please sign in again.\n")
}
