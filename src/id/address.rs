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

#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014", feature = "actix-session"))]
impl Address {
    /// Where a session lives whose secret id another library made: `label` says which, so that no two
    /// of them, and none of them and a token, ever share an address. Such an id names no shard, so the
    /// hash does.
    pub(crate) fn of_foreign(label: &str, id: &[u8], shards: super::ShardCount) -> Self {
        let reference = SessionRef::of_foreign(label, id);
        let [first, second, ..] = *reference.as_bytes();
        let shard = Shard::from_index(u16::from_be_bytes([first, second]) & (shards.get() - 1));
        Self { reference, shard, class: IdleClass::default() }
    }
}

#[cfg(all(test, any(feature = "tower-sessions", feature = "tower-sessions-014", feature = "actix-session")))]
mod tests {
    use super::*;
    use crate::id::{ShardCount, Token};

    #[test]
    fn a_foreign_id_has_one_address_of_its_own() {
        let shards = ShardCount::default();
        let at = |label, id: &[u8]| Address::of_foreign(label, id, shards);
        assert_eq!(at("a", b"bc"), at("a", b"bc"));
        assert_ne!(at("a", b"bc"), at("ab", b"c"), "the label ends where it ends");
        let token = Token::parse("A".repeat(43).as_bytes()).unwrap();
        assert_ne!(at("", &[0; 32]).reference, token.address().reference);
        let used: std::collections::BTreeSet<_> =
            (0..2000_u32).map(|n| at("a", &n.to_be_bytes()).shard).collect();
        assert_eq!(used.len(), 64, "all shards are used");
    }
}
