//! Which shards this writer works on.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::cooling::Cooling;
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
    pub(super) fn new(name: Option<&str>, span: Duration) -> Self {
        // UUIDv7 has 74 random bits.
        let id = Uuid::now_v7();
        let id = name.map_or_else(|| id.to_string(), |name| format!("{name} {id}"));
        Self { id, span, held: BTreeMap::new(), next: Instant::now() }
    }

    pub(super) fn held(&self) -> impl Iterator<Item = usize> {
        self.held.keys().copied()
    }

    /// Ten times in a lease's span: renews what is held and, with `acquire`, takes what is free. Answers
    /// which shards it has now and had not before.
    pub(super) async fn tick(
        &mut self,
        queue: &AuditQueue,
        acquire: bool,
        cooling: &mut Cooling,
    ) -> Vec<usize> {
        let now = Instant::now();
        self.held.retain(|_, until| now < *until);
        if now < self.next {
            return Vec::new();
        }
        self.next = now + self.span / 10;
        let wanted =
            |shard: &usize| !cooling.skips(*shard, now) && (acquire || self.held.contains_key(shard));
        let wanted = queue.all().into_iter().filter(wanted).collect();
        let (id, span, before) = (self.id.as_str(), self.span, self.held.len());
        let taken = queue.each(wanted, |queue, shard| {
            let id = id.to_owned();
            async move { queue.take(shard, &id, span).await }
        });
        let (mut silent, mut new) = (Vec::new(), Vec::new());
        for (shard, ours) in taken.await {
            match ours {
                // Counted from before the command left, so that it never ends later here than in Redis.
                Ok(true) => {
                    if self.held.insert(shard, now + span).is_none() {
                        new.push(shard);
                    }
                }
                Ok(false) => drop(self.held.remove(&shard)),
                // One that we hold stays ours until its time is up.
                Err(error) => {
                    silent.push((shard, error));
                    continue;
                }
            }
            cooling.answered(shard);
        }
        cooling.silent(silent);
        if self.held.len() != before {
            tracing::debug!(before, now = self.held.len(), "the audit writer's shards changed");
        }
        new
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
