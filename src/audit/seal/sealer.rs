//! Chains of seals.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::{
    Seal, SealKey,
    batch::Columns,
    hash::{Hash, root},
};
use crate::audit::postgres::Row;

/// A writer's key, and the chains that none of its batches works on at the moment: as many as it has
/// batches at a time.
#[derive(Debug)]
pub(in crate::audit) struct Sealer {
    key: Option<SealKey>,
    free: Mutex<Vec<Chain>>,
}

/// Where a chain goes on.
#[derive(Debug)]
pub(in crate::audit) struct Chain {
    id: Uuid,
    seq: i64,
    last: Option<Vec<u8>>,
}

impl Sealer {
    pub(in crate::audit) fn new(key: Option<SealKey>) -> Self {
        Self { key, free: Mutex::default() }
    }

    /// A chain that nobody works on.
    pub(in crate::audit) fn chain(&self) -> Option<Chain> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(in crate::audit) fn give_back(&self, chain: Chain) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(chain);
    }

    /// Where its chains end: what is kept outside the database proves that nobody cut them off.
    pub(in crate::audit) fn tell_ends(&self) {
        for chain in self.free.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let hash = hex(chain.last.as_deref().unwrap_or_default());
            tracing::info!(target: "audit.seal", chain = %chain.id, seq = chain.seq, hash, "a chain of seals ends");
        }
    }
}

impl Chain {
    pub(in crate::audit) fn new(newest: Option<Vec<u8>>) -> Self {
        Self { id: Uuid::now_v7(), seq: 0, last: newest }
    }

    /// The seal over those of these rows that are new.
    pub(in crate::audit) fn next(
        &mut self,
        sealer: &Sealer,
        columns: &Columns,
        rows: &[&Row],
        new: &HashSet<Uuid>,
    ) -> Seal {
        let rows = rows.iter().zip(&columns.row_hashes);
        // Rows are sorted by their key, and so are a verifier's.
        let rows = rows.filter(|(row, _)| new.contains(&row.key().0));
        let (times, leaves): (Vec<i64>, Vec<Hash>) =
            rows.map(|(row, hash)| (row.key().1.saturating_mul(1000), *hash)).unzip();
        self.seq += 1;
        let mut seal = Seal {
            seal: columns.seal,
            chain: self.id,
            seq: self.seq,
            rows: i32::try_from(leaves.len()).unwrap_or(i32::MAX),
            first_us: times.iter().copied().min().unwrap_or_default(),
            last_us: times.iter().copied().max().unwrap_or_default(),
            root: root(&leaves).to_vec(),
            prev_hash: self.last.take(),
            hash: Vec::new(),
            key_id: sealer.key.as_ref().map(|key| key.id().to_owned()),
            signature: None,
            sealed_us: columns.at_us,
        };
        seal.hash = seal.computed().to_vec();
        seal.signature = sealer.key.as_ref().map(|key| key.sign(&seal.hash));
        self.last = Some(seal.hash.clone());
        if tracing::enabled!(target: "audit.seal", tracing::Level::DEBUG) {
            let hash = hex(&seal.hash);
            tracing::debug!(target: "audit.seal", chain = %seal.chain, seq = seal.seq, hash, "sealed");
        }
        seal
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
