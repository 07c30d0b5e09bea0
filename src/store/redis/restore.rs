//! Putting sessions back from the trail. See `audit::recovery`.

use std::{collections::BTreeMap, sync::LazyLock};

use redis::{Script, Value};

use super::{
    RedisStore,
    answer::strange,
    epoch,
    heads::Heads,
    index::{Told, place},
    layout,
    trail::Trail,
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::{Error, ErrorKind, Result},
    id::{Address, EventId, SessionHandle, SessionRef, Shard},
    record::{Authentication, Base, EndReason, Field, FieldName, Version},
};

static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/index.lua"),
        include_str!("scripts/restore.lua")
    ))
});
static ENTOMB: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/entomb.lua")));

/// A session as the trail tells it.
#[derive(Debug)]
pub(crate) struct Restore<'a> {
    pub(crate) at: Address,
    /// Where it lived before its renewals. While something lives there, nothing is restored.
    pub(crate) former: &'a [SessionRef],
    pub(crate) event: EventId,
    pub(crate) predecessor: EventId,
    pub(crate) version: Version,
    /// Tails of the last events, this one's included.
    pub(crate) recent: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) user: Option<&'a str>,
    pub(crate) authentication: Option<&'a Authentication>,
    pub(crate) device: Option<&'a str>,
    /// When its last event was. A revocation of all its user's sessions since then voids it.
    pub(crate) last_at: Timestamp,
    /// The epoch under which it is valid, if that is known. A higher one voids it.
    pub(crate) epoch: Option<u64>,
    pub(crate) fields: &'a BTreeMap<FieldName, Field>,
    pub(crate) idle: std::time::Duration,
    /// Since when it idles; now, where that is not given.
    pub(crate) idle_since: Option<Timestamp>,
    pub(crate) payload: Payload<'a>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    /// The session is there now.
    Back,
    /// There is one already, here or under a former token.
    Alive,
    /// It is known to have ended, or was told so now.
    Ended,
    /// Its time is up.
    Late,
}

impl RedisStore {
    /// The same namespace over a connection of its own, with the trail on.
    pub(crate) fn apart(&self) -> Self {
        let connection = self.connection.apart();
        // Set up anew: what the other one once checked, Redis may have forgotten since.
        Self {
            connection,
            keys: self.keys.clone(),
            trail: Trail { on: true, ..self.trail },
            events: self.events.clone(),
            replicas: self.replicas.clone(),
            set_up: Default::default(),
        }
    }

    /// Checks the shard count, and records it unless `dry`.
    pub(crate) async fn check_namespace(&self, dry: bool) -> Result<()> {
        if !dry {
            return self.prepared().await.map(drop);
        }
        let stored: Option<u64> =
            self.connection.query(redis::cmd("HGET").arg(self.keys.meta()).arg("shards")).await?;
        let shards = u64::from(self.keys.shards().get());
        if stored.is_some_and(|stored| stored != shards) {
            return Err(Error::msg(ErrorKind::Mismatch, "this namespace has another number of shards"));
        }
        Ok(())
    }

    /// Puts a session back, where nothing is. Safe to repeat.
    pub(crate) async fn restore(&self, restore: &Restore<'_>, dry: bool) -> Result<Restored> {
        let (keys, at) = (&self.keys, restore.at);
        let hash = keys.hash(&at.reference);
        let mut script = RESTORE.prepare_invoke();
        script
            .key(keys.session(at.shard, &hash))
            .key(keys.aftermath(at.shard, &hash))
            .key(keys.epoch(at.shard))
            .key(keys.audit(at.shard))
            .key(keys.log(at.shard))
            .key(keys.due(at.shard));
        if let Some(user) = restore.user {
            script.key(keys.user(at.shard, user));
        }
        for former in restore.former {
            script.key(keys.session(at.shard, &keys.hash(former)));
        }
        let authentication = restore.authentication;
        let base = Base { version: restore.version, head: restore.event };
        script
            .arg(restore.event.as_bytes())
            .arg(restore.predecessor.as_bytes())
            .arg(self.trail.entry(restore.payload.clone()))
            .arg(restore.version.get())
            .arg(Heads::field(base, &restore.recent))
            .arg(restore.created_at.as_millis())
            .arg(restore.deadline.as_millis())
            .arg(at.class.index())
            .arg(restore.user.unwrap_or(""))
            .arg(authentication.map_or(0, |authentication| authentication.at.as_millis()))
            .arg(authentication.and_then(|authentication| authentication.method.as_deref()).unwrap_or(""))
            .arg(millis(restore.idle))
            .arg(restore.idle_since.map(|at| at.as_millis().to_string()).unwrap_or_default())
            .arg(u8::from(dry))
            .arg(restore.epoch.map(|epoch| epoch.to_string()).unwrap_or_default())
            .arg(restore.device.unwrap_or(""))
            .arg(place(&hash, &at.reference));
        if restore.user.is_some() {
            // The trail does not hold the old handle: it names a session to whoever is shown the user's list.
            let told = Told {
                method: authentication.and_then(|authentication| authentication.method.clone()),
                device: restore.device.map(str::to_owned),
                address: None,
            };
            script
                .arg(SessionHandle::random()?.to_string())
                .arg(serde_json::to_string(&told).unwrap_or_default())
                .arg(restore.last_at.as_millis());
        }
        let values =
            restore.fields.iter().map(|(name, field)| (name, &field.value, field.version, field.secret));
        for (name, field) in layout::fields(values) {
            script.arg(name).arg(field);
        }
        answer(&self.connection.script(&script).await?)
    }

    /// A shard's epoch.
    pub(crate) async fn epoch(&self, shard: Shard) -> Result<u64> {
        let epoch: Option<u64> = self.connection.query(redis::cmd("GET").arg(self.keys.epoch(shard))).await?;
        Ok(epoch.unwrap_or_default())
    }

    /// Sets it to at least `to`.
    pub(crate) async fn put_epoch_back(&self, shard: Shard, to: u64) -> Result<()> {
        epoch::put_back(self, shard, to).await
    }

    /// Remembers an end again, where nothing is known. Safe to repeat.
    pub(crate) async fn entomb(&self, tombstone: &Tombstone, dry: bool) -> Result<Restored> {
        let (keys, at) = (&self.keys, tombstone.at);
        let hash = keys.hash(&at.reference);
        let mut script = ENTOMB.prepare_invoke();
        script
            .key(keys.session(at.shard, &hash))
            .key(keys.aftermath(at.shard, &hash))
            .arg(tombstone.event.as_bytes())
            .arg(tombstone.reason.as_str())
            .arg(tombstone.ended_at.as_millis())
            .arg(millis(tombstone.remember))
            .arg(u8::from(dry));
        answer(&self.connection.script(&script).await?)
    }
}

/// The end of a session as the trail tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tombstone {
    pub(crate) at: Address,
    pub(crate) event: EventId,
    pub(crate) reason: EndReason,
    pub(crate) ended_at: Timestamp,
    pub(crate) remember: std::time::Duration,
}

fn answer(value: &Value) -> Result<Restored> {
    let word = match value {
        Value::Array(values) => match values.first() {
            Some(Value::BulkString(word)) => word.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    match word {
        b"restored" => Ok(Restored::Back),
        b"alive" => Ok(Restored::Alive),
        b"ended" => Ok(Restored::Ended),
        b"late" => Ok(Restored::Late),
        _ => Err(strange()),
    }
}
