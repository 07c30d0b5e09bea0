//! How the queue does.

use std::time::Duration;

use super::{AuditQueue, StreamId, Waiting, timestamp};
use crate::{clock::Timestamp, error::Error, id::Shard};

/// What waits in the queue. Made by [`AuditQueue::status`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Every shard, in order.
    pub shards: Vec<ShardStatus>,
}

/// What waits in one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStatus {
    /// Which.
    pub shard: Shard,
    /// How many entries are not in PostgreSQL yet.
    pub entries: u64,
    /// About how many bytes of Redis' memory they take.
    pub bytes: u64,
    /// How long the oldest of them has been waiting, by Redis' clock.
    pub oldest: Option<Duration>,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// How many dead letters there are.
    pub dead: u64,
    /// How many changes were left out of the trail and are not noted there yet. See
    /// [`AuditOverflow`](crate::audit::AuditOverflow).
    pub shed: u64,
}

/// A writer's hold on a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The writer's id: its [name](crate::audit::AuditWriter::name) where it has one, and a UUIDv7 that tells
    /// when it started.
    pub writer: String,
    /// How long it holds at least, unless it is renewed.
    pub left: Duration,
}

impl QueueStatus {
    /// How many entries are not in PostgreSQL yet.
    pub fn entries(&self) -> u64 {
        self.shards.iter().map(|shard| shard.entries).sum()
    }

    /// About how many bytes of Redis' memory they take.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }

    /// How long the oldest has been waiting: the number to alarm on.
    pub fn oldest(&self) -> Option<Duration> {
        self.shards.iter().filter_map(|shard| shard.oldest).max()
    }

    /// How many dead letters there are.
    pub fn dead(&self) -> u64 {
        self.shards.iter().map(|shard| shard.dead).sum()
    }

    /// How many changes were left out of the trail and are not noted there yet.
    pub fn shed(&self) -> u64 {
        self.shards.iter().map(|shard| shard.shed).sum()
    }

    /// How many shards have entries and no writer.
    pub fn abandoned(&self) -> usize {
        self.shards.iter().filter(|shard| shard.entries > 0 && shard.lease.is_none()).count()
    }
}

impl AuditQueue {
    /// What waits, shard by shard: one round trip, eight commands a shard. Each shard is told as it was at a
    /// moment of its own. Never by a consumer group's `lag`, which is nil after any deletion.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when Redis does not answer in time.
    pub async fn status(&self) -> Result<QueueStatus, Error> {
        let asked = self.each(self.all(), |queue, index| async move { queue.shard_status(index).await });
        let shards: Result<Vec<_>, Error> = asked.await.into_iter().map(|(_, status)| status).collect();
        let mut shards = shards?;
        shards.sort_unstable_by_key(|status| status.shard);
        Ok(QueueStatus { shards })
    }

    async fn shard_status(&self, index: usize) -> Result<ShardStatus, Error> {
        type Answer = (u64, Vec<Waiting>, Option<u64>, Option<String>, i64, u64, Option<u64>, (u64, u64));
        let keys = self.keys(index)?;
        let mut pipe = redis::pipe();
        pipe.cmd("XLEN").arg(&keys.stream);
        pipe.cmd("XRANGE").arg(&keys.stream).arg("-").arg("+").arg("COUNT").arg(1);
        pipe.cmd("MEMORY").arg("USAGE").arg(&keys.stream);
        pipe.cmd("GET").arg(&keys.lease);
        pipe.cmd("PTTL").arg(&keys.lease);
        pipe.cmd("XLEN").arg(&keys.dead);
        pipe.cmd("HGET").arg(&keys.shed).arg("changes");
        pipe.cmd("TIME");
        let (entries, head, bytes, writer, left, dead, shed, now): Answer =
            self.connection.pipeline(&pipe).await?;
        let now = timestamp(now);
        let age = |id: StreamId| now.since(Timestamp::from_millis(id.millis()));
        Ok(ShardStatus {
            shard: keys.shard,
            entries,
            // A stream that was emptied still takes some bytes, which nobody waits for.
            bytes: if entries == 0 { 0 } else { bytes.unwrap_or_default() },
            oldest: head.first().map(|entry| age(entry.id)),
            // It may have run out between the two questions: then nobody has it.
            lease: writer
                .zip(u64::try_from(left).ok())
                .map(|(writer, left)| Lease { writer, left: Duration::from_millis(left) }),
            dead,
            shed: shed.unwrap_or_default(),
        })
    }
}
