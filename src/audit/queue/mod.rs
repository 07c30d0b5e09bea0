//! The queue: one Redis stream a shard, written by the commit scripts and read from its head.
//!
//! | key | type | what |
//! |---|---|---|
//! | `NS:{TAG}:audit` | stream | entries that wait, oldest first |
//! | `NS:{TAG}:dead` | stream | entries that PostgreSQL refused five times |
//! | `NS:{TAG}:lease` | string | the writer that works on this shard, with a time to live of 10 s |
//! | `NS:{TAG}:shed` | hash | how many changes the commit scripts left out, since when and until when |
//! | `NS:{TAG}:tries` | hash | how often PostgreSQL refused which entry, until a day after the last refusal |
//!
//! A waiting entry has the fields `v` (version, decimal), `p` (predecessor's event id, 16 bytes) and `e`
//! (a [`Payload`](super::Payload) as JSON). One that was put back from the dead letters also has `id`:
//! the stream id that it had at first, from which its time and therefore its key in PostgreSQL come.
//! A dead letter has `v`, `p`, `e`, `id`, and `err` (the refusal, at most 500 bytes) and `n` (attempts).
//!
//! What was left out is told by an entry that has only `e`, of the kind `gap`: see `scripts/gap.lua`.
//!
//! There is no consumer group. A writer reads with `XRANGE - + COUNT n`, stores, and then deletes those
//! very entries, by `scripts/delete.lua`. So there is no pending list to fill memory, no dead consumer to reap, no
//! `XGROUP DELCONSUMER` that loses entries, and `XLEN` is the exact backlog; all of it works while Redis
//! is out of memory. Never `XTRIM` or `MAXLEN` here: Redis cannot even tell what that lost.

mod browse;
mod bury;
mod concurrently;
mod dead;
mod gap;
mod lease;
mod namespace;
mod read;
mod status;
mod stream_id;
mod tries;

use std::{fmt, sync::Arc, time::Duration};

use concurrently::concurrently;
pub(super) use {
    bury::{MAX_ERROR, shorten},
    gap::LeftOut,
    read::Waiting,
    stream_id::StreamId,
};
pub use {
    dead::{DeadLetter, DeadLetterId},
    status::{Lease, QueueStatus, ShardStatus},
};

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind},
    id::Shard,
    store::redis::{Connection, Keys},
};

/// The entries that wait in Redis for an [`AuditWriter`](super::AuditWriter).
///
/// Made by `RedisStore::audit_queue`. Cloning it gives another handle to the same streams.
#[derive(Clone)]
pub struct AuditQueue {
    connection: Connection,
    namespace: Arc<str>,
    meta: Arc<str>,
    shards: Arc<[ShardKeys]>,
}

/// Where a shard's entries are.
#[derive(Clone, Debug)]
pub(super) struct ShardKeys {
    /// What the row's column tells: two applications may share one table.
    pub(super) namespace: Arc<str>,
    pub(super) shard: Shard,
    pub(super) stream: String,
    pub(super) lease: String,
    pub(super) dead: String,
    pub(super) tries: String,
    pub(super) shed: String,
}

impl AuditQueue {
    pub(crate) fn new(connection: Connection, keys: &Keys) -> Self {
        let namespace: Arc<str> = keys.namespace().into();
        let of = |shard| ShardKeys {
            namespace: namespace.clone(),
            shard,
            stream: keys.audit(shard),
            lease: keys.lease(shard),
            dead: keys.dead(shard),
            tries: keys.tries(shard),
            shed: keys.shed(shard),
        };
        let shards = keys.shards().iter().map(of).collect();
        Self { connection, meta: keys.meta().into(), namespace, shards }
    }

    /// How many entries wait, over all shards.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn len(&self) -> Result<u64, Error> {
        self.lengths(self.all()).await.into_iter().map(|(_, length)| length).sum()
    }

    /// Whether no entry waits.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len().await? == 0)
    }

    /// How long the oldest waiting entry has been waiting, by Redis' clock; `None` where none waits.
    /// This is the lag of the trail behind the sessions: the number to alarm on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn oldest(&self) -> Result<Option<Duration>, Error> {
        let heads = self.each(self.all(), |queue, index| async move { queue.read(index, 1).await });
        let mut oldest = None;
        for (_, head) in heads.await {
            oldest = oldest.into_iter().chain(head?.first().map(|entry| entry.id.millis())).min();
        }
        let time: (u64, u64) = self.connection.query(&redis::cmd("TIME")).await?;
        let now = timestamp(time);
        Ok(oldest.map(|oldest| now.since(Timestamp::from_millis(oldest))))
    }

    /// How many dead letters there are, over all shards: entries that PostgreSQL refused five times.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn dead_letters(&self) -> Result<u64, Error> {
        self.dead_counts().await.into_iter().map(|(_, count)| count).sum()
    }

    async fn dead_counts(&self) -> Answers<u64> {
        self.each(self.all(), |queue, index| async move {
            queue.connection.query::<u64>(redis::cmd("XLEN").arg(&queue.keys(index)?.dead)).await
        })
        .await
    }

    /// How many entries wait in each of these shards.
    pub(super) async fn lengths(&self, shards: Vec<usize>) -> Answers<u64> {
        self.each(shards, |queue, index| async move {
            queue.connection.query::<u64>(redis::cmd("XLEN").arg(&queue.keys(index)?.stream)).await
        })
        .await
    }

    /// The places of all shards in this queue's list. A shard is named by its place from here on.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.shards.len()).collect()
    }

    pub(super) fn keys(&self, index: usize) -> Result<&ShardKeys, Error> {
        self.shards.get(index).ok_or_else(|| Error::msg(ErrorKind::Config, "the queue has no such shard"))
    }

    /// Asks for several shards at once: one command a shard and never one pipeline over two, since they
    /// may live on different masters of a cluster, of which one may be down. On one server the connection
    /// pipelines them anyway.
    pub(super) async fn each<T, F, Fut>(&self, shards: Vec<usize>, mut ask: F) -> Answers<T>
    where
        T: Send + 'static,
        F: FnMut(Self, usize) -> Fut,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let asked = shards.into_iter().map(|index| {
            let answer = ask(self.clone(), index);
            async move { (index, answer.await) }
        });
        concurrently(asked).await
    }
}

/// What `TIME` answered: seconds and microseconds.
fn timestamp((seconds, micros): (u64, u64)) -> Timestamp {
    Timestamp::from_millis(seconds * 1000 + micros / 1000)
}

/// What each shard answered, in no order.
pub(super) type Answers<T> = Vec<(usize, Result<T, Error>)>;

impl fmt::Debug for AuditQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditQueue").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}
