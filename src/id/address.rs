//! Where a store finds a session.

use super::{IdleClass, SessionRef, Shard};

/// What a store is told about a session: a hash and a place, never the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The one-way hash of the token.
    pub reference: SessionRef,
    /// Where the session lives.
    pub shard: Shard,
    /// Which idle timeout it has.
    pub class: IdleClass,
}
