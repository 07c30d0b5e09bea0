//! Telling the trail what was left out of it.

use super::AuditQueue;
use crate::{
    clock::Timestamp,
    error::Error,
    id::{EventId, Shard},
};

/// Changes of a shard that were left out of the trail, by Redis' clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct LeftOut {
    pub(in crate::audit) changes: u64,
    pub(in crate::audit) since: Timestamp,
    pub(in crate::audit) until: Timestamp,
}

impl AuditQueue {
    /// Puts the number of changes that a shard left out of the trail into its stream, as an entry of the kind
    /// `gap`. `false` where there are none.
    pub(in crate::audit) async fn tell_gap(&self, index: usize) -> Result<bool, Error> {
        let keys = self.keys(index)?;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/gap.lua")).arg(2).arg(&keys.shed).arg(&keys.stream);
        self.connection.query(eval.arg(EventId::new().to_string())).await
    }

    /// What each shard has left out and not told yet.
    pub(in crate::audit) async fn left_out(&self) -> Result<Vec<(Shard, LeftOut)>, Error> {
        let counts = self.each(self.all(), |queue, index| async move {
            let mut read = redis::cmd("HMGET");
            read.arg(&queue.keys(index)?.shed).arg("changes").arg("since").arg("until");
            queue.connection.query::<(Option<u64>, Option<u64>, Option<u64>)>(&read).await
        });
        let mut found = Vec::new();
        for (index, counted) in counts.await {
            if let (Some(changes), Some(since), Some(until)) = counted? {
                let [since, until] = [since, until].map(Timestamp::from_millis);
                found.push((self.keys(index)?.shard, LeftOut { changes, since, until }));
            }
        }
        Ok(found)
    }
}
