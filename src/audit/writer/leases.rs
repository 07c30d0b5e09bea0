//! Which shards this writer works on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use crate::audit::queue::AuditQueue;

/// The leases that this writer holds: it takes every shard that nobody has, keeps what it has, and lets go
/// what it cannot renew in time. Only work is saved by them; see [`queue`](crate::audit::queue).
#[derive(Debug)]
pub(super) struct Leases {
    /// Names this writer, among all that ever run.
    id: String,
    span: Duration,
    /// By shard, until when it is ours for certain.
    held: BTreeMap<usize, Instant>,
    next: Instant,
}

impl Leases {
    pub(super) fn new(span: Duration) -> Self {
        // UUIDv7 has 74 random bits.
        Self { id: Uuid::now_v7().to_string(), span, held: BTreeMap::new(), next: Instant::now() }
    }

    pub(super) fn held(&self) -> impl Iterator<Item = usize> {
        self.held.keys().copied()
    }

    /// Ten times in a lease's span: renews what is held and, with `acquire`, takes what is free. `skip`
    /// are shards whose Redis does not answer just now.
    pub(super) async fn tick(&mut self, queue: &AuditQueue, acquire: bool, skip: &BTreeSet<usize>) {
        let now = Instant::now();
        self.held.retain(|_, until| now < *until);
        if now < self.next {
            return;
        }
        self.next = now + self.span / 10;
        let (id, span) = (self.id.as_str(), self.span);

        let mine = self.held().filter(|shard| !skip.contains(shard)).collect();
        let renewed = queue.each(mine, |queue, shard| {
            let id = id.to_owned();
            async move { queue.renew(shard, &id, span).await }
        });
        for (shard, ours) in renewed.await {
            match ours {
                // Counted from before the command left, so that it never ends later here than in Redis.
                Ok(true) => self.held.insert(shard, now + span),
                Ok(false) => self.held.remove(&shard),
                // It stays ours until its time is up.
                Err(_) => continue,
            };
        }
        if !acquire {
            return;
        }
        let free = |shard: &usize| !self.held.contains_key(shard) && !skip.contains(shard);
        let free = queue.all().into_iter().filter(free).collect();
        let taken = queue.each(free, |queue, shard| {
            let id = id.to_owned();
            async move { queue.acquire(shard, &id, span).await }
        });
        let taken: Vec<_> = taken
            .await
            .into_iter()
            .filter(|(_, ours)| matches!(ours, Ok(true)))
            .map(|(shard, _)| shard)
            .collect();
        if !taken.is_empty() {
            tracing::debug!(shards = taken.len(), "audit writer took shards");
            self.held.extend(taken.into_iter().map(|shard| (shard, now + span)));
        }
    }

    /// Gives everything back, so that another writer can go on at once.
    pub(super) async fn release(&mut self, queue: &AuditQueue) {
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held).into_keys().collect();
        let id = self.id.as_str();
        let released = queue.each(held, |queue, shard| {
            let id = id.to_owned();
            async move { queue.release(shard, &id).await }
        });
        // What could not be given back runs out by itself.
        drop(released.await);
        self.next = Instant::now();
    }
}
