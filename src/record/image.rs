//! What a store keeps of a session besides what it means.

use std::fmt;

use bytes::Bytes;

use super::Base;
use crate::clock::Timestamp;

/// A session as its store keeps it, in parts. Whoever loaded it gives it back with a commit, so that the store need not
/// look at, or make again, what did not change. A store that has no use for it leaves it empty.
///
/// It is no part of what the session is: any two are equal. `Debug` shows no bytes, since values may be secrets.
#[derive(Clone, Default)]
pub struct Image {
    /// The state that it is of, and no other: a commit on another one must not be made from it.
    of: Option<Base>,
    epoch: u64,
    deadline: Timestamp,
    bytes: Bytes,
    whole: bool,
}

impl Image {
    /// An image of the session in this state, which is valid under this epoch and until this moment: some of its values
    /// as the store keeps them, and whether these are all.
    pub const fn new(of: Base, epoch: u64, deadline: Timestamp, bytes: Bytes, whole: bool) -> Self {
        Self { of: Some(of), epoch, deadline, bytes, whole }
    }

    /// The epoch under which the session is valid.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it ends, whatever its use.
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Values as the store keeps them, if the image is of this state.
    pub fn values(&self, base: Base) -> Option<&Bytes> {
        (self.of == Some(base)).then_some(&self.bytes)
    }

    /// Whether these are all values.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }
}

impl PartialEq for Image {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::EventId, record::Version};

    #[test]
    fn it_is_of_one_state_alone() {
        let base = |version, head| Base { version: Version::new(version), head };
        let (one, other) = (EventId::new(), EventId::new());
        let image = Image::new(base(1, one), 0, Timestamp::default(), Bytes::from_static(b"secret"), true);
        assert!(image.values(base(1, one)).is_some());
        assert!(image.values(base(2, one)).is_none());
        assert!(image.values(base(1, other)).is_none(), "another history's version of the same number");
        assert!(Image::default().values(base(1, one)).is_none());
        assert!(!format!("{image:?}").contains("secret"));
    }
}
