//! The epochs of the shards, before the first session comes back.
//!
//! A raised epoch voids every session of the shard that began before it. So which epochs were raised, and
//! when, must be known of all that could void a session: those in the trail, and those that still wait for a
//! writer. Redis' own number is asked first: what it counts then is in the queue or, if a writer was quicker,
//! in the trail after that. A raise that comes later still is seen by the script that puts a session back.

use std::collections::BTreeMap;

use sqlx::{PgPool, Row as _};

use crate::{
    audit::{
        AuditQueue, EntryKind, ParsedPayload,
        queue::{StreamId, Waiting},
        trail::{State, broken},
    },
    clock::Timestamp,
    error::Result,
    id::Shard,
    store::{RedisStore, SessionStore as _},
};

/// What is known of all shards.
#[derive(Debug, Default)]
pub(super) struct Epochs(BTreeMap<Shard, Epoch>);

/// What is known of one shard.
#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    /// Redis' number, when it was asked.
    counted: u64,
    /// The highest that was told.
    told: u64,
    /// Where the last raise stands in the shard's stream.
    last: Option<StreamId>,
}

/// What the epochs say of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It began after the last raise. Should Redis count more than this by now, it is void all the same.
    Valid(u64),
    /// It began before this raise.
    Void(Timestamp),
    /// Redis counts more raises than were told, so nobody knows whether one of them came after it began.
    Unknown,
}

impl Epochs {
    /// Asks Redis, the queue and the trail, in this order.
    pub(super) async fn find(store: &RedisStore, queue: &AuditQueue, pool: &PgPool) -> Result<Self> {
        let mut epochs = Self::default();
        for shard in store.shards().iter() {
            epochs.0.entry(shard).or_default().counted = store.epoch(shard).await?;
        }
        queue.browse(|shard, entry| epochs.add(shard, entry)).await?;
        // They belong to no session, by which alone the index finds them.
        let sql = "SELECT shard, version, stream_id FROM cloakroom.session_event
                   WHERE ref IS NULL AND kind = 'epoch' AND namespace = $1";
        let rows = sqlx::query(sql).bind(queue.namespace()).fetch_all(pool).await.map_err(broken)?;
        for row in rows {
            let shard = u16::try_from(row.try_get::<i16, _>("shard").map_err(broken)?).unwrap_or(0);
            let number: Option<i64> = row.try_get("version").map_err(broken)?;
            let number = number.and_then(|number| u64::try_from(number).ok());
            let place: Option<StreamId> = row.try_get::<&str, _>("stream_id").map_err(broken)?.parse().ok();
            if let Some((number, place)) = number.zip(place) {
                epochs.told(Shard::from_index(shard), number, place);
            }
        }
        Ok(epochs)
    }

    fn add(&mut self, shard: Shard, entry: &Waiting) {
        let Ok(payload) = serde_json::from_slice::<ParsedPayload<'_>>(&entry.payload) else { return };
        let number = std::str::from_utf8(&entry.version).ok().and_then(|number| number.parse().ok());
        if let Some(number) = number.filter(|_| payload.kind == EntryKind::Epoch.as_str()) {
            self.told(shard, number, entry.origin());
        }
    }

    fn told(&mut self, shard: Shard, number: u64, place: StreamId) {
        let epoch = self.0.entry(shard).or_default();
        epoch.told = epoch.told.max(number);
        epoch.last = epoch.last.max(Some(place));
    }

    /// Raises Redis' numbers to those that were told, unless `dry`; answers on how many shards.
    pub(super) async fn put_back(&self, store: &RedisStore, dry: bool) -> Result<u64> {
        let mut raised = 0;
        for (shard, epoch) in &self.0 {
            if epoch.told > epoch.counted && store.shards().contains(*shard) {
                if !dry {
                    store.put_epoch_back(*shard, epoch.told).await?;
                }
                raised += 1;
            }
        }
        Ok(raised)
    }

    pub(super) fn judge(&self, state: &State) -> Verdict {
        let epoch = self.0.get(&state.at.shard).copied().unwrap_or_default();
        match epoch.last {
            Some(last) if state.began < last => Verdict::Void(Timestamp::from_millis(last.millis())),
            _ if epoch.counted > epoch.told => Verdict::Unknown,
            _ => Verdict::Valid(epoch.told),
        }
    }
}
