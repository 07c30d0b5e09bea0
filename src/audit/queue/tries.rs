//! How often PostgreSQL refused an entry. Kept in Redis beside the entry: a writer that is restarted in a
//! loop must not begin to count again each time, or a bad row would be tried for ever.

use std::collections::HashMap;

use super::{AuditQueue, StreamId};
use crate::error::Error;

/// How long a count is kept after the last refusal: far longer than the pauses between two attempts, and
/// then it is certain that nothing is left behind by an entry that another writer stored.
const KEEP_MILLIS: u64 = 24 * 60 * 60 * 1000;

impl AuditQueue {
    /// Counts a refusal of an entry of which the writer knew `known`, and answers how many there are now.
    pub(in crate::audit) async fn refused(
        &self,
        index: usize,
        id: StreamId,
        known: u32,
    ) -> Result<u32, Error> {
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/refuse.lua")).arg(1).arg(&self.keys(index)?.tries);
        self.connection.query(eval.arg(id.to_string()).arg(known).arg(KEEP_MILLIS)).await
    }

    /// What earlier writers counted.
    pub(in crate::audit) async fn refusals(&self, index: usize) -> Result<Vec<(StreamId, u32)>, Error> {
        let counts: HashMap<Vec<u8>, u32> =
            self.connection.query(redis::cmd("HGETALL").arg(&self.keys(index)?.tries)).await?;
        let counts = counts.into_iter().filter_map(|(id, count)| Some((StreamId::from_bytes(&id)?, count)));
        Ok(counts.collect())
    }

    /// Forgets what was stored after all.
    pub(in crate::audit) async fn forget_refusals(
        &self,
        index: usize,
        ids: &[StreamId],
    ) -> Result<(), Error> {
        let mut delete = redis::cmd("HDEL");
        delete.arg(&self.keys(index)?.tries);
        for id in ids {
            delete.arg(id.to_string());
        }
        self.connection.query::<u64>(&delete).await.map(drop)
    }
}
