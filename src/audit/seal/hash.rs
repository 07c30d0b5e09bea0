//! What is hashed, and in which order. Changing any of it breaks every seal there is.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(in crate::audit) type Hash = [u8; 32];

/// A row, as its writer knows it and as it is read back.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Parts<'a> {
    pub(in crate::audit) namespace: &'a str,
    pub(in crate::audit) event_id: Uuid,
    pub(in crate::audit) occurred_us: i64,
    pub(in crate::audit) reference: Option<&'a [u8]>,
    pub(in crate::audit) version: Option<i64>,
    pub(in crate::audit) predecessor: Option<Uuid>,
    pub(in crate::audit) kind: &'a str,
    pub(in crate::audit) reason: Option<&'a str>,
    pub(in crate::audit) related: Option<&'a [u8]>,
    pub(in crate::audit) lifetime: Option<i64>,
    pub(in crate::audit) idle_class: Option<i16>,
    pub(in crate::audit) schema: i16,
    pub(in crate::audit) flags: i16,
    pub(in crate::audit) shard: i16,
    pub(in crate::audit) stream_id: &'a str,
    /// What is somebody's, and can be erased.
    pub(in crate::audit) user: Option<&'a str>,
    pub(in crate::audit) auth_method: Option<&'a str>,
    pub(in crate::audit) device: Option<&'a str>,
    pub(in crate::audit) method: Option<&'a str>,
    pub(in crate::audit) route: Option<&'a str>,
    /// Address and length of the network.
    pub(in crate::audit) client_ip: Option<&'a str>,
    pub(in crate::audit) user_agent: Option<&'a str>,
    pub(in crate::audit) trace_id: Option<&'a str>,
    /// As `jsonb` gives it back.
    pub(in crate::audit) delta: Option<&'a str>,
    pub(in crate::audit) delta_raw: Option<&'a [u8]>,
}

impl Parts<'_> {
    pub(super) fn value_hash(&self, salt: &[u8]) -> Hash {
        let mut hash = Fields::new(b"cloakroom values 1");
        hash.bytes(Some(salt));
        for text in [
            self.user,
            self.auth_method,
            self.device,
            self.method,
            self.route,
            self.client_ip,
            self.user_agent,
            self.trace_id,
            self.delta,
        ] {
            hash.bytes(text.map(str::as_bytes));
        }
        hash.bytes(self.delta_raw);
        hash.finish()
    }

    pub(super) fn row_hash(&self, seal: Uuid, ingested_us: i64, value_hash: &[u8]) -> Hash {
        let mut hash = Fields::new(b"cloakroom row 1");
        hash.bytes(Some(self.namespace.as_bytes()));
        hash.bytes(Some(self.event_id.as_bytes()));
        hash.number(Some(self.occurred_us));
        hash.bytes(self.reference);
        hash.number(self.version);
        hash.bytes(self.predecessor.as_ref().map(|id| id.as_bytes().as_slice()));
        hash.bytes(Some(self.kind.as_bytes()));
        hash.bytes(self.reason.map(str::as_bytes));
        hash.bytes(self.related);
        hash.number(self.lifetime);
        hash.number(self.idle_class.map(i64::from));
        for number in [self.schema, self.flags, self.shard] {
            hash.number(Some(number.into()));
        }
        hash.bytes(Some(self.stream_id.as_bytes()));
        hash.number(Some(ingested_us));
        hash.bytes(Some(seal.as_bytes()));
        hash.bytes(Some(value_hash));
        hash.finish()
    }
}

/// Fields one after another, each with its length, so that no two rows give the same bytes.
pub(in crate::audit) struct Fields(Sha256);

impl Fields {
    pub(in crate::audit) fn new(what: &[u8]) -> Self {
        let mut fields = Self(Sha256::new());
        fields.bytes(Some(what));
        fields
    }

    pub(in crate::audit) fn bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.0.update([0]),
            Some(bytes) => {
                self.0.update([1]);
                self.0.update((bytes.len() as u64).to_be_bytes());
                self.0.update(bytes);
            }
        }
    }

    pub(in crate::audit) fn number(&mut self, number: Option<i64>) {
        self.bytes(number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    pub(in crate::audit) fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// The root of a Merkle tree as in RFC 6962: leaves and inner nodes are told apart by a first byte, so that
/// no node passes for a leaf.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => {
            let mut hash = Sha256::new();
            hash.update([0]);
            hash.update(leaf);
            hash.finalize().into()
        }
        leaves => {
            // The largest power of two that is less than their number.
            let middle = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at_checked(middle).unwrap_or((leaves, &[]));
            let mut hash = Sha256::new();
            hash.update([1]);
            hash.update(root(left));
            hash.update(root(right));
            hash.finalize().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn roots_of_other_leaves_are_others() {
        let leaves: Vec<Hash> = (0..40_u8).map(|n| [n; 32]).collect();
        let mut roots: BTreeSet<Hash> = (0..=40).map(|n| root(&leaves[..n])).collect();
        assert_eq!(roots.len(), 41);
        let mut swapped = leaves.clone();
        swapped.swap(3, 30);
        assert!(roots.insert(root(&swapped)));
        // A node is no leaf: two leaves are not the one that their node would be.
        assert_ne!(root(&leaves[..2]), root(&[root(&leaves[..2])]));
    }

    #[test]
    fn fields_do_not_run_into_one_another() {
        let of = |fields: &[Option<&[u8]>]| {
            let mut hash = Fields::new(b"test");
            fields.iter().for_each(|field| hash.bytes(*field));
            hash.finish()
        };
        let hashes = [
            of(&[Some(b"ab"), Some(b"c")]),
            of(&[Some(b"a"), Some(b"bc")]),
            of(&[Some(b"abc")]),
            of(&[Some(b"abc"), None]),
            of(&[Some(b"abc"), Some(b"")]),
        ];
        assert_eq!(BTreeSet::from(hashes).len(), 5);
    }
}
