//! The name of one change.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::SessionRef;

/// A UUIDv7 (of an end that a sweep notices, a UUIDv8), minted before the first try of a change and kept over all its
/// retries, so that a change whose reply was lost is found to have happened instead of happening twice.
///
/// The time in it is this instance's and only makes ids sort well; nothing is decided by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// What stands before the first event of a session.
    pub const NONE: Self = Self(Uuid::nil());

    /// A fresh id.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The end of a session that ran out: made of its ref, so that whoever notices it, however often, gives it the
    /// same name. A UUIDv8 (free form, RFC 9562) from SHA-256; a UUIDv5 would bring SHA-1 in for nothing else.
    pub(crate) fn of_expiry(reference: &SessionRef) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"expired");
        hash.update(reference.as_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// An id that was stored before.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes, as a session's hash in Redis holds them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The last eight bytes: 62 random bits, which is what `recent` remembers of an event.
    pub(crate) fn tail(&self) -> [u8; 8] {
        let [.., a, b, c, d, e, f, g, h] = *self.as_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// The same id for the `uuid` crate.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}
