//! Telling the trail what was left out of it.

use super::AuditQueue;
use crate::{error::Error, id::EventId};

impl AuditQueue {
    /// Puts the number of changes that a shard left out of the trail into its stream, as an entry of the kind
    /// `gap`. `false` where there are none.
    pub(in crate::audit) async fn tell_gap(&self, index: usize) -> Result<bool, Error> {
        let keys = self.keys(index)?;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/gap.lua")).arg(2).arg(&keys.shed).arg(&keys.stream);
        self.connection.query(eval.arg(EventId::new().to_string())).await
    }
}
