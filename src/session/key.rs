//! A key's name and type.

use std::{borrow::Cow, fmt, marker::PhantomData};

use super::state::Target;
use crate::{
    error::{Error, ErrorKind, Result},
    record::FieldName,
    store::Policy,
};

/// The name of a session value together with its type, so that both are written once.
///
/// A plain `&str` or `String` works wherever a key is asked for; the type is then up to each call.
///
/// ```
/// use cloakroom::session::Key;
///
/// const VISITS: Key<u64> = Key::new("visits");
/// // The value of a secret key never leaves the store: the audit trail names the key only.
/// const OTP: Key<String> = Key::new("otp").secret();
/// assert!(OTP.is_secret() && !VISITS.is_secret());
/// ```
pub struct Key<T> {
    name: Cow<'static, str>,
    secret: bool,
    policy: Option<Policy>,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// A key. Its name is checked at the first write: 1 to 128 bytes without control characters, and no `:` in
    /// front, which is how this crate's own keys begin. Whatever a handler lets a client choose as a name can't
    /// become one of those.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), secret: false, policy: None, value: PhantomData }
    }

    /// A key whose name is only known at run time.
    pub fn dynamic(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), secret: false, policy: None, value: PhantomData }
    }

    /// Keeps the value out of the audit trail; that it changed is still told. Recovery can't bring it
    /// back.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// What wins when two requests write this key at a time, instead of the layer's policy.
    ///
    /// ```
    /// use cloakroom::{session::Key, store::Policy};
    ///
    /// // Whoever comes second is told so, also where the key was not read before.
    /// const SEAT: Key<String> = Key::new("seat").with_policy(Policy::Strict);
    /// // A lost update of this one harms nobody.
    /// const THEME: Key<String> = Key::new("theme").with_policy(Policy::LastWriteWins);
    /// ```
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the value stays out of the audit trail.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }

    /// What wins on this key, where that is not left to the layer.
    pub const fn policy(&self) -> Option<Policy> {
        self.policy
    }

    /// The key as the state takes it.
    pub(super) fn target(&self) -> Result<Target> {
        let name = writable(&self.name)?;
        Ok(Target { name, secret: self.secret, policy: self.policy })
    }

    /// The same key whatever the type of its value.
    pub(super) fn untyped(self) -> Key<()> {
        Key { name: self.name, secret: self.secret, policy: self.policy, value: PhantomData }
    }
}

/// A name that an application may write.
pub(super) fn writable(name: &str) -> Result<FieldName> {
    if name.starts_with(RESERVED) {
        let text = format!("session key {:?}: names that begin with ':' are reserved", clipped(name));
        return Err(Error::msg(ErrorKind::InvalidKey, text));
    }
    FieldName::new(name)
}

/// Whether an application sees a key of this name.
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED)
}

const RESERVED: char = ':';

fn clipped(name: &str) -> String {
    name.chars().take(32).collect()
}

impl<T> From<&str> for Key<T> {
    fn from(name: &str) -> Self {
        Self::dynamic(name)
    }
}

impl<T> From<&String> for Key<T> {
    fn from(name: &String) -> Self {
        Self::dynamic(name)
    }
}

impl<T> From<String> for Key<T> {
    fn from(name: String) -> Self {
        Self::dynamic(name)
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), secret: self.secret, policy: self.policy, value: PhantomData }
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}
