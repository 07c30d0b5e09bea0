//! Checking rows against seals, without a connection.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{
    Seal, SealPublicKey, TrailRow,
    hash::{Hash, root},
};

/// Checks rows against their seals. Give it all seals, then all rows in any order, then
/// [`finish`](Self::finish).
///
/// It keeps 48 bytes a row while its seal is incomplete, and some hundred bytes a seal.
#[derive(Debug, Default)]
#[must_use]
pub struct Verifier {
    keys: Vec<SealPublicKey>,
    anchors: Vec<Vec<u8>>,
    since_us: i64,
    seals: HashMap<Uuid, Open>,
    chains: BTreeMap<(Uuid, i64), Uuid>,
    first_sealed_us: Option<i64>,
    report: Verification,
}

/// A seal and those of its rows that were seen.
#[derive(Debug)]
struct Open {
    seal: Seal,
    rows: Vec<(Uuid, i64, Hash)>,
    /// Its rows are complete, and the root was right.
    sound: bool,
    /// A row of it was reported, so that its root can't be right.
    edited: bool,
}

/// What a [`Verifier`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Rows that it saw.
    pub rows: u64,
    /// Rows that no writer sealed: of an earlier release, or of a writer without seals. Nothing can be said
    /// about them.
    pub unsealed_rows: u64,
    /// Rows whose values were erased.
    pub erased_rows: u64,
    /// Seals that it saw.
    pub seals: u64,
    /// Seals with a signature by a known key.
    pub signed_seals: u64,
    /// What is wrong. Nothing, if the trail is as it was written.
    pub findings: Vec<Finding>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are what their names say")]
pub enum Finding {
    /// A column of this row was changed.
    RowEdited { event_id: Uuid },
    /// This row has no seal, and was stored when rows had.
    RowWithoutSeal { event_id: Uuid },
    /// This row names a seal that does not exist.
    RowOfNoSeal { event_id: Uuid, seal: Uuid },
    /// Rows of this seal are missing. They happened between these times, in microseconds since the Unix epoch.
    RowsMissing { seal: Uuid, missing: u64, first_us: i64, last_us: i64 },
    /// Rows claim to be of this seal that were not there when it was made.
    RowsAdded { seal: Uuid, added: u64 },
    /// As many rows as there were, and not the same.
    RowsReplaced { seal: Uuid },
    /// A column of this seal was changed.
    SealEdited { seal: Uuid },
    /// The seal at this place of the chain is missing.
    SealMissing { chain: Uuid, seq: i64 },
    /// This seal names another one before it than there is.
    ChainBroken { seal: Uuid },
    /// No seal has the hash that was kept elsewhere: the chain was cut off, or made anew.
    AnchorMissing { hash: Vec<u8> },
    /// Keys were given, and this seal is not signed.
    NotSigned { seal: Uuid },
    /// This seal is signed by a key that was not given.
    UnknownKey { seal: Uuid, key_id: String },
    /// The signature is not one of this key over this seal.
    BadSignature { seal: Uuid },
}

impl Verifier {
    /// Without keys: seals are then hashes only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this key. Any number can be given, so that keys can be changed. Once one is, every seal must
    /// be signed.
    pub fn key(mut self, key: SealPublicKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Expects a seal with this hash, which was kept outside the database.
    pub fn anchor(mut self, hash: impl Into<Vec<u8>>) -> Self {
        self.anchors.push(hash.into());
        self
    }

    /// Leaves out the seals with rows before this moment, in microseconds since the Unix epoch: those whose
    /// partitions were dropped.
    pub fn since(mut self, micros: i64) -> Self {
        self.since_us = micros;
        self
    }

    pub(in crate::audit) fn keys(&self) -> &[SealPublicKey] {
        &self.keys
    }

    /// Takes a seal. All seals come before the first row.
    pub fn seal(&mut self, seal: Seal) {
        self.report.seals += 1;
        if seal.computed().as_slice() != seal.hash {
            self.find(Finding::SealEdited { seal: seal.seal });
        }
        self.check_signature(&seal);
        let first = self.first_sealed_us.unwrap_or(i64::MAX);
        self.first_sealed_us = Some(first.min(seal.sealed_us));
        self.chains.insert((seal.chain, seal.seq), seal.seal);
        let open = Open { rows: Vec::new(), sound: false, edited: false, seal };
        self.seals.insert(open.seal.seal, open);
    }

    fn check_signature(&mut self, seal: &Seal) {
        let id = seal.seal;
        match (&seal.signature, &seal.key_id) {
            (Some(signature), Some(key_id)) => {
                let mut known = self.keys.iter().filter(|key| key.id() == key_id).peekable();
                if known.peek().is_none() {
                    if !self.keys.is_empty() {
                        self.find(Finding::UnknownKey { seal: id, key_id: key_id.clone() });
                    }
                } else if known.any(|key| key.has_signed(&seal.hash, signature)) {
                    self.report.signed_seals += 1;
                } else {
                    self.find(Finding::BadSignature { seal: id });
                }
            }
            (None, None) if self.keys.is_empty() => {}
            _ => self.find(Finding::NotSigned { seal: id }),
        }
    }

    /// Takes a row. Answers whether it is by itself as it was written, or was never sealed.
    pub fn row(&mut self, row: &TrailRow) -> bool {
        self.report.rows += 1;
        let event_id = row.event_id;
        let Some(seal) = row.seal else {
            self.report.unsealed_rows += 1;
            if row.row_hash.is_some() || self.first_sealed_us.is_some_and(|first| row.ingested_us >= first) {
                self.find(Finding::RowWithoutSeal { event_id });
                return false;
            }
            return true;
        };
        self.report.erased_rows += u64::from(row.is_erased());
        let hash = row.sound();
        let sound = hash.is_some();
        if !sound {
            self.find(Finding::RowEdited { event_id });
        }
        let Some(open) = self.seals.get_mut(&seal) else {
            self.find(Finding::RowOfNoSeal { event_id, seal });
            return false;
        };
        open.edited |= !sound;
        let hash = hash.unwrap_or_default();
        if open.sound {
            // It was complete before this one came.
            self.find(Finding::RowsAdded { seal, added: 1 });
            return false;
        }
        open.rows.push((event_id, row.occurred_us, hash));
        if open.rows.len() as u64 == u64::try_from(open.seal.rows).unwrap_or(0) && open.is_right() {
            open.sound = true;
            open.rows = Vec::new();
        }
        sound
    }

    /// What came of it, when all rows were given.
    pub fn finish(mut self) -> Verification {
        let mut found = Vec::new();
        for (id, open) in &self.seals {
            let (seal, expected) = (*id, u64::try_from(open.seal.rows).unwrap_or(0));
            if open.sound || open.seal.first_us < self.since_us {
                continue;
            }
            let there = open.rows.len() as u64;
            let (first_us, last_us) = (open.seal.first_us, open.seal.last_us);
            if there < expected {
                found.push(Finding::RowsMissing { seal, missing: expected - there, first_us, last_us });
            } else if there > expected {
                found.push(Finding::RowsAdded { seal, added: there - expected });
            } else if !open.edited {
                found.push(Finding::RowsReplaced { seal });
            }
        }
        let hashes: HashSet<&[u8]> = self.seals.values().map(|open| open.seal.hash.as_slice()).collect();
        let mut last: Option<&Seal> = None;
        for ((chain, seq), id) in &self.chains {
            let Some(Open { seal, .. }) = self.seals.get(id) else { continue };
            let before = last.replace(seal).filter(|before| before.chain == *chain);
            let next = before.map_or(1, |before| before.seq + 1);
            // Seals are kept for ever, also where the partitions of their rows were dropped.
            found.extend((next..*seq).map(|seq| Finding::SealMissing { chain: *chain, seq }));
            let names = seal.prev_hash.as_deref();
            let right = match before {
                Some(before) if next == *seq => names == Some(before.hash.as_slice()),
                Some(_) => true,
                None => *seq > 1 || names.is_none_or(|hash| hashes.contains(hash)),
            };
            if !right {
                found.push(Finding::ChainBroken { seal: seal.seal });
            }
        }
        let missing = self.anchors.iter().filter(|hash| !hashes.contains(hash.as_slice()));
        found.extend(missing.map(|hash| Finding::AnchorMissing { hash: hash.clone() }));
        self.report.findings.extend(found);
        self.report.findings.sort();
        self.report.findings.dedup();
        self.report
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }
}

impl Open {
    fn is_right(&mut self) -> bool {
        self.rows.sort_unstable();
        let leaves: Vec<Hash> = self.rows.iter().map(|(_, _, hash)| *hash).collect();
        root(&leaves).as_slice() == self.seal.root
    }
}
