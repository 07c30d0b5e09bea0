//! One key of a session and its value.

use std::{borrow::Borrow, fmt};

use bytestring::ByteString;
use smol_str::SmolStr;

use super::Version;
use crate::error::{Error, ErrorKind};

/// The name of a session key: 1 to 128 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(SmolStr);

impl FieldName {
    /// The longest name, in bytes.
    pub const MAX: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKey`] for a name that is empty, too long, or holds control characters: it
    /// appears in logs and in the trail, where a line break would forge a line.
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.len() > Self::MAX || has_controls(name) {
            return Err(Error::msg(
                ErrorKind::InvalidKey,
                format!(
                    "session key {:?}: a name has 1 to {} bytes and no control characters",
                    name.chars().take(32).collect::<String>(),
                    Self::MAX
                ),
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for FieldName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn has_controls(name: &str) -> bool {
    // Nearly always: every key of every session that is loaded comes by here.
    if name.is_ascii() {
        name.bytes().any(|byte| byte.is_ascii_control())
    } else {
        name.chars().any(char::is_control)
    }
}

/// A value as JSON text, shared and never copied. Its `Debug` shows the length only, since a value
/// may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(ByteString);

impl Json {
    /// Takes text that is known to be JSON.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(ByteString::from(text.into()))
    }

    /// These bytes, in the memory that they have. `None` if they are no text.
    pub(crate) fn from_bytes(bytes: bytes::Bytes) -> Option<Self> {
        ByteString::try_from(bytes).ok().map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// A value and the session version at which it last changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// When it last changed.
    pub version: Version,
    /// Whether the value must never leave the store: the trail names the key and nothing else.
    pub secret: bool,
    /// The value.
    pub value: Json,
}
