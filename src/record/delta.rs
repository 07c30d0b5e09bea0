//! What one request changes.

use std::collections::BTreeMap;

use super::{FieldName, Json, Operation};

/// The keys that a request changed, and only those: two requests that change different keys of one
/// session both succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Every key was removed first. This never conflicts.
    pub clear: bool,
    /// Then these were changed.
    pub changes: BTreeMap<FieldName, Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is written.
    pub write: Write,
    /// Set where the request read this key before it wrote it, to whether the key was there when the
    /// session was loaded. Only then can somebody else's change of it, made meanwhile, be a conflict.
    pub watched: Option<bool>,
    /// Whether the value must never leave the store: the trail names the key and nothing else.
    pub secret: bool,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The key has this value now.
    Set(Json),
    /// The key is gone now.
    Remove,
    /// The store works these out, in this order, on the value that it holds. A value that they don't fit
    /// is answered as a conflict on the key.
    Apply(Vec<Operation>),
}

impl Delta {
    /// Whether the store has something to work out.
    #[cfg(feature = "redis")]
    pub(crate) fn has_operations(&self) -> bool {
        self.changes.values().any(|change| matches!(change.write, Write::Apply(_)))
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        !self.clear && self.changes.is_empty()
    }
}
