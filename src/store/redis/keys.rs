//! The names of all keys.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    error::{Error, ErrorKind, Result},
    id::{Address, SessionRef, Shard, ShardCount, Spelled, Token},
};

/// Makes the key names of one namespace.
#[derive(Clone)]
pub(crate) struct Keys {
    namespace: Arc<str>,
    shards: ShardCount,
    /// `namespace:{tag}:` for every shard.
    prefixes: Arc<[String]>,
    /// Every request asks for its shard's.
    epochs: Arc<[String]>,
    pepper: Option<Arc<Zeroizing<Vec<u8>>>>,
}

impl Keys {
    pub(crate) fn new(namespace: &str, shards: ShardCount, pepper: Option<Vec<u8>>) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if namespace.is_empty() || namespace.len() > 32 || !namespace.bytes().all(allowed) {
            return Err(Error::msg(
                ErrorKind::Config,
                format!("namespace {namespace:?}: take 1 to 32 of a-z, 0-9 and '-'"),
            ));
        }
        if pepper.as_ref().is_some_and(|pepper| pepper.len() < 16) {
            return Err(Error::msg(ErrorKind::Config, "the pepper needs at least 16 random bytes"));
        }
        let prefixes: Arc<[String]> =
            tags(shards).iter().map(|tag| format!("{namespace}:{{{tag}}}:")).collect();
        let epochs = prefixes.iter().map(|prefix| format!("{prefix}epoch")).collect();
        let pepper = pepper.map(|pepper| Arc::new(Zeroizing::new(pepper)));
        Ok(Self { namespace: namespace.into(), shards, prefixes, epochs, pepper })
    }

    pub(crate) fn shards(&self) -> ShardCount {
        self.shards
    }

    /// The namespace itself.
    #[cfg(feature = "audit")]
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `ns:meta`: what the namespace was set up with.
    pub(crate) fn meta(&self) -> String {
        format!("{}:meta", self.namespace)
    }

    /// `H(ref)`, which session keys carry.
    pub(crate) fn hash(&self, reference: &SessionRef) -> String {
        URL_SAFE_NO_PAD.encode(self.digest(&[reference.as_bytes()]))
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes a key of any length.
        let mac = self.pepper.as_ref().and_then(|pepper| Hmac::<Sha256>::new_from_slice(pepper).ok());
        match mac {
            Some(mut mac) => {
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().into()
            }
            None => {
                let mut hash = Sha256::new();
                parts.iter().for_each(|part| hash.update(part));
                hash.finalize().into()
            }
        }
    }

    /// The session itself.
    pub(crate) fn session(&self, shard: Shard, hash: &str) -> String {
        self.key(shard, SESSION, hash)
    }

    /// The key of the session at this address, in one piece of memory.
    pub(crate) fn session_at(&self, at: Address) -> String {
        let prefix = self.prefix(at.shard);
        let mut key = String::with_capacity(prefix.len() + SESSION.len() + Token::LEN);
        key.push_str(prefix);
        key.push_str(SESSION);
        // The encoder's own way to add to a string goes piece by piece.
        key.push_str(Spelled::new(&self.digest(&[at.reference.as_bytes()])).as_str());
        key
    }

    /// Matches all sessions' keys, for `SCAN`.
    #[cfg(feature = "audit")]
    pub(crate) fn sessions(&self) -> String {
        format!("{}:{{*}}:s:*", self.namespace)
    }

    /// What became of it.
    pub(crate) fn aftermath(&self, shard: Shard, hash: &str) -> String {
        self.key(shard, "x:", hash)
    }

    /// What a sign-in carries over from it, for a minute.
    pub(crate) fn remains(&self, shard: Shard, hash: &str) -> String {
        self.key(shard, "r:", hash)
    }

    /// The sessions of a user. Ids are hashed: they may be names, and anybody may choose one.
    pub(crate) fn user(&self, shard: Shard, user: &str) -> String {
        self.key(shard, "u:", &URL_SAFE_NO_PAD.encode(self.digest(&[b"user", user.as_bytes()])))
    }

    /// The counter that ends everything older.
    pub(crate) fn epoch(&self, shard: Shard) -> &str {
        self.epochs.get(usize::from(shard.index())).map_or("", String::as_str)
    }

    /// The audit queue.
    pub(crate) fn audit(&self, shard: Shard) -> String {
        self.key(shard, "audit", "")
    }

    /// What is written last before replicas are waited for.
    pub(crate) fn mark(&self, shard: Shard) -> String {
        self.key(shard, "mark", "")
    }

    /// The log of events, and the channel that rings for it.
    pub(crate) fn log(&self, shard: Shard) -> String {
        self.key(shard, "ev", "")
    }

    /// When which session's time may be up.
    pub(crate) fn due(&self, shard: Shard) -> String {
        self.key(shard, "due", "")
    }

    /// Which writer drains it.
    #[cfg(feature = "audit")]
    pub(crate) fn lease(&self, shard: Shard) -> String {
        self.key(shard, "lease", "")
    }

    /// What PostgreSQL would not take.
    #[cfg(feature = "audit")]
    pub(crate) fn dead(&self, shard: Shard) -> String {
        self.key(shard, "dead", "")
    }

    /// What was left out of the trail.
    pub(crate) fn shed(&self, shard: Shard) -> String {
        self.key(shard, "shed", "")
    }

    /// How often PostgreSQL refused which entry.
    #[cfg(feature = "audit")]
    pub(crate) fn tries(&self, shard: Shard) -> String {
        self.key(shard, "tries", "")
    }

    fn key(&self, shard: Shard, kind: &str, hash: &str) -> String {
        [self.prefix(shard), kind, hash].concat()
    }

    fn prefix(&self, shard: Shard) -> &str {
        self.prefixes.get(usize::from(shard.index())).map_or("", String::as_str)
    }
}

/// Stands before the hash in a session's key.
const SESSION: &str = "s:";

/// One hash tag for each shard, such that shard `i` of `n` falls into the `i`-th of `n` equal parts of
/// the cluster's slots, and the shards spread evenly over the masters. The first of `0`, `1`, `2` …
/// that fits: the same on every instance and for ever.
fn tags(shards: ShardCount) -> Vec<String> {
    let count = usize::from(shards.get());
    let mut tags = vec![String::new(); count];
    let mut missing = count;
    for candidate in 0_u32.. {
        if missing == 0 {
            break;
        }
        let tag = candidate.to_string();
        let part = usize::from(slot(tag.as_bytes())) * count / SLOTS;
        if let Some(place) = tags.get_mut(part).filter(|place| place.is_empty()) {
            *place = tag;
            missing -= 1;
        }
    }
    tags
}

const SLOTS: usize = 16_384;

/// The hash slot of a tag: CRC16-XMODEM modulo 16384 (Redis Cluster specification).
fn slot(tag: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for byte in tag {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % SLOTS as u16
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of CRC16-XMODEM, and a slot that `CLUSTER KEYSLOT` tells.
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn shards_spread_evenly_and_their_tags_never_change() {
        for count in [1, 2, 64, 4096] {
            let shards = ShardCount::new(count).unwrap();
            let tags = tags(shards);
            assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), usize::from(count));
            for (shard, tag) in tags.iter().enumerate() {
                let part = SLOTS / usize::from(count);
                assert_eq!(usize::from(slot(tag.as_bytes())) / part, shard);
            }
        }
        // A change of these would lose every session of every installation.
        let keys = Keys::new("ns", ShardCount::default(), None).unwrap();
        let first: Vec<_> = [0, 1, 63].map(|n| keys.epoch(Shard::from_index(n))).into();
        assert_eq!(first, FIRST_TAGS);
    }

    const FIRST_TAGS: [&str; 3] = ["ns:{10}:epoch", "ns:{18}:epoch", "ns:{40}:epoch"];

    #[test]
    fn the_pepper_changes_every_hash() {
        let reference = SessionRef::from_bytes([7; 32]);
        let plain = Keys::new("ns", ShardCount::default(), None).unwrap();
        let with = |pepper: &[u8]| Keys::new("ns", ShardCount::default(), Some(pepper.to_vec())).unwrap();
        let hashes =
            [plain.hash(&reference), with(&[1; 32]).hash(&reference), with(&[2; 32]).hash(&reference)];
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 3);
        assert!(!hashes[0].contains(&reference.to_string()));
    }

    #[test]
    fn a_namespace_is_plain_text() {
        for bad in ["", "A", "a:b", "a{b}", "a b", "a\0", &"a".repeat(33)] {
            assert_eq!(
                Keys::new(bad, ShardCount::default(), None).err().map(|e| e.kind()),
                Some(ErrorKind::Config)
            );
        }
        assert!(Keys::new("shop-1", ShardCount::default(), Some(vec![1; 8])).is_err());
    }
}
