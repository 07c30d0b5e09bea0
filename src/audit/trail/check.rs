//! Stored snapshots, held against their keys and against the rows that they are of.

use std::collections::VecDeque;

use super::{
    Snapshot, State,
    snapshot::{Signed, SnapshotRow},
};
use crate::{audit::seal::SealPublicKey, id::SessionRef};

/// The snapshots of one session that its rows are yet to come to.
#[derive(Clone, Debug, Default)]
pub(in crate::audit) struct Check {
    waiting: VecDeque<Snapshot>,
    /// Refs that those which were seen name, by their versions.
    refs: Vec<(u64, Vec<SessionRef>)>,
    faults: SnapshotFaults,
}

/// Snapshots that are not as they should be, by their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::audit) struct SnapshotFaults {
    /// What they say is not what the rows say, or what was signed.
    pub(in crate::audit) edited: Vec<u64>,
    /// Keys were given, and none of them signed these.
    pub(in crate::audit) unsigned: Vec<u64>,
}

impl Check {
    /// One more, of a version that is higher than that of the one before. Without keys no signature is looked at.
    pub(super) fn add(&mut self, row: &SnapshotRow, namespace: &str, keys: &[SealPublicKey]) {
        let version = u64::try_from(row.version).unwrap_or(0);
        match row.signed_by(namespace, keys) {
            Signed::Wrongly => return self.faults.edited.push(version),
            Signed::No if !keys.is_empty() => self.faults.unsigned.push(version),
            Signed::No | Signed::Yes => {}
        }
        match row.read() {
            Ok(Some(snapshot)) => self.waiting.push_back(snapshot),
            Ok(None) => {}
            Err(_) => self.faults.edited.push(version),
        }
    }

    /// As far as it can be told without rows.
    pub(super) fn without_rows(self) -> SnapshotFaults {
        self.faults
    }

    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The rows have come to this, with nothing wrong among them.
    pub(super) fn see(&mut self, state: &State, root: SessionRef) {
        while let Some(snapshot) = self.waiting.front()
            && snapshot.state.version <= state.version
        {
            let seen = snapshot.state.version == state.version;
            let whole = state.former.iter().all(|former| snapshot.refs.contains(former));
            if seen && (snapshot.state != *state || snapshot.root != root || !whole) {
                self.faults.edited.push(state.version);
            }
            if let Some(snapshot) = self.waiting.pop_front().filter(|_| seen) {
                self.refs.push((state.version, snapshot.refs));
            }
        }
    }

    /// The session had these refs, and its last row is of this version: whoever made a snapshot had read rows.
    pub(super) fn finish(mut self, refs: &[SessionRef], last: u64) -> SnapshotFaults {
        let strange = |(_, named): &&(u64, Vec<SessionRef>)| named.iter().any(|named| !refs.contains(named));
        self.faults.edited.extend(self.refs.iter().filter(strange).map(|(version, _)| version));
        let ahead =
            self.waiting.iter().map(|snapshot| snapshot.state.version).filter(|version| *version > last);
        self.faults.edited.extend(ahead);
        self.faults.edited.sort_unstable();
        self.faults.edited.dedup();
        self.faults
    }
}
