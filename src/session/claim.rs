//! Which session a request says is its own.

use crate::id::{Address, Token};

/// A session's place, or the token that says it: to hash that is work for nothing where a request never asks for its
/// session.
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
