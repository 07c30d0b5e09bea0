//! One writer a shard at a time, to save work. Nothing is wrong where two work on one shard: rows are
//! stored once whoever brings them.

use std::time::Duration;

use super::AuditQueue;
use crate::{clock::millis, error::Error};

impl AuditQueue {
    /// Takes a lease that nobody has, or keeps our own; `false` where another has it.
    pub(in crate::audit) async fn take(&self, index: usize, id: &str, span: Duration) -> Result<bool, Error> {
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/take.lua")).arg(1).arg(&self.keys(index)?.lease);
        self.connection.query(eval.arg(id).arg(millis(span))).await
    }

    /// Gives a lease back, if it is ours.
    pub(in crate::audit) async fn release(&self, index: usize, id: &str) -> Result<bool, Error> {
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/release.lua")).arg(1).arg(&self.keys(index)?.lease);
        self.connection.query(eval.arg(id)).await
    }
}
