//! Which session a request says is its own.

use crate::id::{Address, Token};

/// A session's place, or the token that says it: hashing that is half of what the layer costs a request that never
/// asks for its session.
pub(crate) enum Claim {
    Address(Address),
    /// It is wiped when the request is over.
    Token(Token),
}

impl Claim {
    pub(super) fn address(&self) -> Address {
        match self {
            Self::Address(address) => *address,
            Self::Token(token) => token.address(),
        }
    }
}
