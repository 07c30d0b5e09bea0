//! The name of a session in its user's list.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};

use super::token::{RandomSource, system_random};
use crate::error::{Error, ErrorKind};

/// By which a user names one of his sessions, to end it: 128 random bits, 22 characters of base64url.
///
/// It is made of nothing: neither the token, nor the ref, nor any hash is in it, so that a list of sessions may
/// be shown to anybody who may end them. It stays the same when the session is renewed, and names a session
/// only together with its user: somebody else's handle names nothing.
///
/// ```
/// use cloakroom::id::SessionHandle;
///
/// let handle = SessionHandle::random()?;
/// assert_eq!(SessionHandle::parse(&handle.to_string()), Some(handle));
/// assert_eq!(SessionHandle::parse("../admin"), None);
/// # Ok::<(), cloakroom::error::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle([u8; SessionHandle::BYTES]);

impl SessionHandle {
    /// Length of the spelled handle, in characters.
    pub const LEN: usize = 22;
    const BYTES: usize = 16;

    /// A fresh one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`] when the operating system's generator fails.
    pub fn random() -> Result<Self, Error> {
        Self::generate(system_random)
    }

    pub(crate) fn generate(random: RandomSource) -> Result<Self, Error> {
        let mut bytes = [0; Self::BYTES];
        random(&mut bytes).map_err(|error| Error::new(ErrorKind::Random, error))?;
        Ok(Self(bytes))
    }

    /// Reads the one canonical spelling; everything else is `None`.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Self> {
        let text = text.as_ref();
        if text.len() != Self::LEN {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::BYTES) => Some(Self(bytes)),
            _ => None,
        }
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHandle({self})")
    }
}

impl Serialize for SessionHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
