//! Why the layer answers in the handler's place.

use std::{fmt, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    record::Ended,
};

/// Why a request gets another answer than its handler's. What the answer looks like is a policy.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The store is out of reach: 503. Before the handler ran, or after it, with nothing committed as
    /// far as is known; the client's cookie is left as it is. Or too few replicas have what was committed, and
    /// [that is refused](crate::store::TooFew::Refuse): then the cookie is set or removed as it would be.
    Unavailable {
        /// For the log. It holds no token and no value.
        error: Error,
        /// What `Retry-After` should say.
        retry_after: Duration,
    },
    /// Another request changed keys that this one had read and wanted to write: 409, nothing committed.
    Conflict {
        /// Which keys.
        keys: Vec<String>,
    },
    /// The session ended while the request was under way: 409, nothing committed.
    Gone(Ended),
    /// The user who was to sign in has as many sessions as there may be: 409, nothing committed, and the session
    /// that asked is as it was. 409 and not 403, since the user can resolve it (RFC 9110, 15.5.10): end a
    /// session elsewhere, and sign in again.
    Rejected,
    /// The cookie for local development was asked for on another host than this machine: 400.
    InsecureHost,
    /// A session cookie and a session token in a header, where one of them was expected: 400.
    TwoTokens,
    /// Something is broken here rather than there: 500.
    Failed(Error),
}

impl Refusal {
    pub(super) fn from_error(error: Error, retry_after: Duration) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Random | ErrorKind::Mismatch | ErrorKind::NotReplicated => {
                Self::Unavailable { error, retry_after }
            }
            _ => Self::Failed(error),
        }
    }

    /// The status that fits.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unavailable { .. } => 503,
            Self::Conflict { .. } | Self::Gone(_) | Self::Rejected => 409,
            Self::InsecureHost | Self::TwoTokens => 400,
            Self::Failed(_) => 500,
        }
    }

    /// The headers of an answer, besides those of its body: never stored, when to come again
    /// (`retry-after`, in whole seconds), which keys conflict (`session-conflict`). A value that is no
    /// header text is left out, as keys outside of ASCII may be: body and [`keys`](Self::Conflict) have
    /// them all.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let own = match self {
            Self::Unavailable { retry_after, .. } => {
                Some(("retry-after", retry_after.as_secs().max(1).to_string()))
            }
            Self::Conflict { keys } => Some(("session-conflict", keys.join(", "))),
            _ => None,
        };
        [("cache-control", "private, no-store".to_owned())].into_iter().chain(own)
    }
}

/// A sentence for the client: no driver's text, no key of the store, no host.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { .. } => {
                f.write_str("Sessions are out of reach at the moment. Please try again.")
            }
            Self::Conflict { keys } => {
                write!(
                    f,
                    "Another request changed this session at the same time ({}). Please try again.",
                    keys.join(", ")
                )
            }
            Self::Gone(_) => f.write_str("This session has ended."),
            Self::Rejected => {
                f.write_str("You are signed in on as many devices as you may be. Sign out on one.")
            }
            Self::InsecureHost => f.write_str(
                "This server's session cookie is made for local development and works on localhost only.",
            ),
            Self::TwoTokens => f.write_str(
                "This request has a session cookie and a session token in a header. Please send one of them.",
            ),
            Self::Failed(_) => f.write_str("The session could not be processed."),
        }
    }
}
