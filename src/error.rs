//! One opaque error, with a [`kind`](Error::kind) to decide by and a cause to log.
//!
//! Missing, expired, conflicting and gone sessions are answers, not errors: see
//! [`store`](crate::store). An [`Error`] says that something is broken, misconfigured or refused.

use std::{error::Error as StdError, fmt};

type Cause = Box<dyn StdError + Send + Sync>;

/// A short name for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. [`kind`](Self::kind) decides, [`source`](StdError::source) explains.
///
/// Neither the message nor the cause ever holds a token or a session value.
pub struct Error {
    kind: ErrorKind,
    message: Option<Box<str>>,
    source: Option<Cause>,
}

/// The classes of [`Error`] that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store did not answer, or not in time. What was asked may or may not have happened; asking
    /// for the same change again is safe.
    Unavailable,
    /// The operating system's random generator failed. No session is made without it.
    Random,
    /// A setting is wrong or contradicts another; the message says what to change.
    Config,
    /// The namespace in the store was set up otherwise (another shard count, a newer schema).
    Mismatch,
    /// What the store holds is not what this crate writes there.
    Corrupt,
    /// A value could not be turned into JSON.
    Encode,
    /// The value under this key is not of the asked type. The session and its other keys are fine.
    Decode,
    /// A key's name is empty, longer than 128 bytes, has control characters, or begins with `:`, as the crate's
    /// own do.
    InvalidKey,
    /// The session would pass a limit: bytes, number of keys, or nesting depth.
    Limit,
    /// The change is made, and fewer replicas than asked for have it: a failover may undo it.
    NotReplicated,
    /// The session was not loaded yet: call `load().await` first.
    NotLoaded,
    /// The response head has left, so nobody will commit this change, or nothing is left that could carry a
    /// new token.
    AfterCommit,
    /// An operation such as `increment` does not fit the value under its key.
    NotApplicable,
    /// Nobody is signed in, so nobody can prove it again.
    NotAuthenticated,
    /// This handle came in with a renewed session's old token, which can neither renew nor sign in.
    Superseded,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Cause>) -> Self {
        Self { kind, message: None, source: Some(source.into()) }
    }

    pub(crate) fn msg(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: Some(message.into()), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What to decide by.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.message {
            return f.write_str(message);
        }
        f.write_str(match self.kind {
            ErrorKind::Unavailable => "the session store did not answer",
            ErrorKind::Random => "the operating system's random generator failed",
            ErrorKind::Config => "a setting is wrong",
            ErrorKind::Mismatch => "the namespace in the store was set up otherwise",
            ErrorKind::Corrupt => "the store holds something that is no session",
            ErrorKind::Encode => "a session value could not be encoded",
            ErrorKind::Decode => "a session value is not of the asked type",
            ErrorKind::InvalidKey => "a session key's name is not allowed",
            ErrorKind::Limit => "the session would pass its limits",
            ErrorKind::NotReplicated => "stored, but too few replicas have it yet",
            ErrorKind::NotLoaded => "the session was not loaded: call `load().await` first",
            ErrorKind::AfterCommit => "the response head has left, and with it what this needs",
            ErrorKind::NotApplicable => "the operation does not fit the stored value",
            ErrorKind::NotAuthenticated => "nobody is signed in",
            ErrorKind::Superseded => "this token was renewed: only the new one can renew or sign in",
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind);
        if let Some(message) = &self.message {
            debug.field("message", message);
        }
        if let Some(source) = &self.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
