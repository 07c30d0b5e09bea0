//! A store of ours in the place of another session library's store.
//!
//! Those libraries hand a store the complete record of a session and its id, and nothing of what the
//! request knew or changed. [`Bridge`] keeps such records as sessions of ours: the id as a hash, each
//! key of the record as a field of its own, so that the audit trail tells which keys changed. Whose trait
//! it implements depends on the features:
//!
//! | feature | its trait | how, and what it can't promise |
//! |---|---|---|
//! | `tower-sessions` | of tower-sessions 0.15 | `cloakroom::tower_sessions` |
//! | `tower-sessions-014` | of tower-sessions 0.14, and so for axum-login 0.18 | `cloakroom::tower_sessions` |
//! | `actix-session` | of actix-session 0.11 | `cloakroom::actix_session` |

mod content;
mod exchange;

use std::{fmt, time::Duration};

pub(crate) use content::Content;
pub(crate) use exchange::Replaced;

use crate::{
    error::{Error, ErrorKind, Result},
    id::Address,
    store::SessionStore,
};

/// One of this crate's stores in the place of another session library's store.
///
/// Cloning it gives another handle to the same sessions, if the store's clones are that.
#[derive(Clone)]
pub struct Bridge<S> {
    store: S,
    absolute: Duration,
    max_bytes: usize,
    secrets: Secrets,
}

/// Which keys stay out of the audit trail.
#[derive(Clone, Debug, Default)]
enum Secrets {
    #[default]
    None,
    Keys(Vec<String>),
    All,
}

impl<S: SessionStore> Bridge<S> {
    /// Keeps the other library's sessions in `store`.
    pub fn new(store: S) -> Self {
        Self {
            store,
            // The longest that a browser keeps a cookie (RFC 6265bis §5.5).
            absolute: Duration::from_secs(400 * 24 * 60 * 60),
            max_bytes: 1024 * 1024,
            secrets: Secrets::None,
        }
    }

    /// How long a session lives at most, however often it is saved; one whose first expiry date is
    /// later lives until then. Default: 400 days, since those libraries know no such limit.
    #[must_use]
    pub fn with_absolute_timeout(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// How many bytes of JSON a session may hold; saving a larger one is an error. Default: 1 MiB,
    /// since those libraries know no such limit.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Keeps the values of these keys out of the audit trail, which then tells that they changed and
    /// not to what. Default: none.
    #[must_use]
    pub fn with_secret_keys<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.secrets = Secrets::Keys(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps every value out of the audit trail.
    #[must_use]
    pub fn with_secret_values(mut self) -> Self {
        self.secrets = Secrets::All;
        self
    }

    /// The store itself.
    pub fn store(&self) -> &S {
        &self.store
    }

    fn address(&self, label: &str, id: &[u8]) -> Address {
        Address::of_foreign(label, id, self.store.shards())
    }

    fn check_size(&self, content: &Content) -> Result<()> {
        let bytes = content.bytes();
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let most = self.max_bytes;
        Err(Error::msg(ErrorKind::Limit, format!("a session of {bytes} bytes, and {most} are allowed")))
    }

    fn is_secret(&self, name: &str) -> bool {
        match &self.secrets {
            Secrets::None => false,
            Secrets::Keys(keys) => {
                // Keys that are no field's name share one field: with any of them that is secret, it is.
                keys.iter().any(|key| key == name || (name == content::REST && content::name(key).is_none()))
            }
            Secrets::All => name != content::META,
        }
    }
}

impl<S> fmt::Debug for Bridge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("absolute", &self.absolute).finish_non_exhaustive()
    }
}
