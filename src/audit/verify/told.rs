//! What the trail itself says that it left out.
//!
//! While more waits than its budget allows, changes may be left out of the trail; each shard counts them, and a
//! row of the kind `gap` tells how many, and from when to when. Versions that are missing in that time are no
//! loss. But only as many as were told: whoever deletes rows beside a gap is found out all the same.

use std::collections::{HashMap, HashSet};

use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::{
    audit::{
        AuditQueue,
        postgres::Gap,
        queue::{LeftOut, Waiting},
        trail::broken,
    },
    clock::Timestamp,
    error::Error,
    id::Shard,
};

/// Changes that were left out, by shard, less those that were found missing.
#[derive(Debug, Default)]
pub(super) struct Told {
    left: HashMap<Shard, Vec<LeftOut>>,
    /// A row may have been seen while it waited.
    seen: HashSet<Uuid>,
}

impl Told {
    /// Those that are still counted. What is told meanwhile is found in the queue, and then in the trail: in
    /// this order none is missed, and at worst a number counts twice.
    pub(super) async fn counted(queue: &AuditQueue) -> Result<Self, Error> {
        let mut told = Self::default();
        for (shard, left) in queue.left_out().await? {
            told.left.entry(shard).or_default().push(left);
        }
        Ok(told)
    }

    /// An entry of the queue.
    pub(super) fn add(&mut self, shard: Shard, entry: &Waiting) {
        if let Some(gap) = Gap::parse(&entry.payload) {
            self.insert(shard, gap.id(), gap.left_out());
        }
    }

    /// The rows of this namespace.
    pub(super) async fn read(&mut self, pool: &PgPool, namespace: &str) -> Result<(), Error> {
        let sql = "SELECT shard, changes, (extract(epoch FROM since) * 1000)::int8 AS since,
                       (extract(epoch FROM until) * 1000)::int8 AS until, event_id
                   FROM cloakroom.gaps WHERE namespace = $1 AND changes > 0";
        for row in sqlx::query(sql).bind(namespace).fetch_all(pool).await.map_err(broken)? {
            let number = |name| row.try_get::<i64, _>(name).map(|n| u64::try_from(n).unwrap_or(0));
            let left = LeftOut {
                changes: number("changes").map_err(broken)?,
                since: Timestamp::from_millis(number("since").map_err(broken)?),
                until: Timestamp::from_millis(number("until").map_err(broken)?),
            };
            let shard = u16::try_from(row.try_get::<i16, _>("shard").map_err(broken)?).unwrap_or(0);
            self.insert(Shard::from_index(shard), row.try_get("event_id").map_err(broken)?, left);
        }
        Ok(())
    }

    fn insert(&mut self, shard: Shard, id: Uuid, left: LeftOut) {
        if self.seen.insert(id) {
            self.left.entry(shard).or_default().push(left);
        }
    }

    /// Whether so many changes in this time were told as left out. They are taken off, so that nothing else is
    /// excused by them.
    pub(super) fn excuses(&mut self, shard: Shard, since: Timestamp, until: Timestamp, changes: u64) -> bool {
        let Some(left) = self.left.get_mut(&shard) else { return false };
        let fits = |left: &&mut LeftOut| left.since <= until && left.until >= since;
        let there: u64 = left.iter_mut().filter(fits).map(|left| left.changes).sum();
        if there < changes {
            return false;
        }
        let mut wanted = changes;
        for left in left.iter_mut().filter(fits) {
            let taken = left.changes.min(wanted);
            left.changes -= taken;
            wanted -= taken;
        }
        true
    }
}
