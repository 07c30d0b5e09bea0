//! What a store tells the trail.

use crate::{
    audit::{AuditDetail, AuditOverflow, Payload},
    id::ShardCount,
};

/// How the store keeps its trail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail {
    pub(super) on: bool,
    pub(super) detail: AuditDetail,
    /// Bytes that entries may take while they wait, over all shards.
    pub(super) budget: u64,
    pub(super) overflow: AuditOverflow,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            on: false,
            detail: AuditDetail::default(),
            budget: 512 << 20,
            overflow: AuditOverflow::default(),
        }
    }
}

impl Trail {
    /// An entry as JSON.
    pub(super) fn entry(&self, payload: Payload<'_>) -> String {
        match self.detail {
            AuditDetail::Values => payload.to_json(),
            AuditDetail::Names => payload.names_only().to_json(),
        }
    }

    /// Whether an entry holds values, beside the names of their keys.
    pub(super) fn tells_values(&self) -> bool {
        self.on && matches!(self.detail, AuditDetail::Values)
    }

    /// How much may wait before a change is left out or refused, as `scripts/commit.lua` takes it.
    pub(super) fn limit(&self, shards: ShardCount) -> String {
        let then = match self.overflow {
            _ if !self.on => return String::new(),
            AuditOverflow::Shed => 's',
            AuditOverflow::Block => 'b',
        };
        format!("{then}{}", self.budget / u64::from(shards.get()))
    }
}
