//! The public name of a session.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::spelled::Spelled;

/// A one-way hash of the token: the name of a session in logs, events, tombstones and the audit trail.
///
/// `SHA-256("ref" ‖ token)`. It opens no session. The Redis key is a further hash of it (with the
/// pepper, where one is configured), so that recovery can find the key again from the trail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRef([u8; 32]);

impl SessionRef {
    pub(super) fn of(token: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ref");
        hash.update(token);
        Self(hash.finalize().into())
    }

    /// The name of a session whose secret id another library made, which `label` names.
    #[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014", feature = "actix-session"))]
    pub(super) fn of_foreign(label: &str, id: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // No token's hash begins so, and the length keeps label and id apart.
        hash.update(b"foreign");
        hash.update((label.len() as u64).to_be_bytes());
        hash.update(label);
        hash.update(id);
        Self(hash.finalize().into())
    }

    /// The hash itself, as the trail's `ref` column holds it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A ref that was stored before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads what `Display` wrote; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Some(Self(bytes)),
            _ => None,
        }
    }
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Spelled::new(&self.0).as_str())
    }
}

impl fmt::Debug for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionRef({self})")
    }
}
