//! A row as recovery reads it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    audit::{EntryKind, ParsedPayload, Payload, postgres::normal, queue::StreamId},
    clock::Timestamp,
    id::{EventId, IdleClass, SessionRef},
    record::{EndReason, FieldName, Json},
};

/// The columns that an [`Event`] is made of.
pub(super) const COLUMNS: &str = "event_id, (extract(epoch FROM occurred_at) * 1000)::int8 AS occurred_ms, \
     ref, version, prev_event_id, kind, reason, user_id, auth_method, device, related, lifetime_ms, idle_class, \
     schema_version, delta::text AS delta, delta_raw, shard, stream_id, \
     (value_hash IS NOT NULL AND value_salt IS NULL) AS erased, seal IS NOT NULL AS sealed";

/// One row.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Event {
    pub(in crate::audit) id: EventId,
    pub(in crate::audit) at: Timestamp,
    /// Its place in the shard's stream.
    pub(in crate::audit) place: StreamId,
    pub(in crate::audit) reference: SessionRef,
    pub(in crate::audit) version: u64,
    pub(in crate::audit) predecessor: EventId,
    pub(in crate::audit) shard: u16,
    /// What happened; `None` where this release can't tell. Without values where these were erased.
    pub(in crate::audit) what: Option<Box<What>>,
    pub(in crate::audit) erased: bool,
    pub(super) sealed: bool,
}

/// What a row tells.
#[derive(Clone, Debug)]
pub(in crate::audit) struct What {
    pub(in crate::audit) kind: EntryKind,
    pub(in crate::audit) reason: EndReason,
    pub(in crate::audit) user: Option<String>,
    pub(in crate::audit) auth_method: Option<String>,
    pub(in crate::audit) device: Option<String>,
    pub(in crate::audit) related: Option<SessionRef>,
    pub(in crate::audit) lifetime: Option<u64>,
    pub(in crate::audit) class: Option<IdleClass>,
    pub(in crate::audit) cleared: bool,
    pub(in crate::audit) set: BTreeMap<FieldName, Json>,
    pub(in crate::audit) removed: Vec<FieldName>,
    pub(in crate::audit) secret: Vec<FieldName>,
}

impl Event {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let reference: Option<&[u8]> = row.try_get("ref")?;
        let bytes: Option<[u8; 32]> = reference.and_then(|bytes| bytes.try_into().ok());
        let predecessor: Option<Uuid> = row.try_get("prev_event_id")?;
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        let erased = row.try_get("erased")?;
        let at = Timestamp::from_millis(number(row.try_get("occurred_ms")?));
        Ok(Self {
            id: EventId::from(row.try_get::<Uuid, _>("event_id")?),
            at,
            place: row.try_get::<&str, _>("stream_id")?.parse().unwrap_or(StreamId::first_of(at)),
            reference: SessionRef::from_bytes(bytes.unwrap_or_default()),
            version: number(row.try_get::<Option<i64>, _>("version")?.unwrap_or(0)),
            predecessor: predecessor.map_or(EventId::NONE, EventId::from),
            shard: u16::try_from(row.try_get::<i16, _>("shard")?).unwrap_or(0),
            what: What::read(row)?.map(Box::new),
            erased,
            sealed: row.try_get("sealed")?,
        })
    }

    /// Where the session goes on, if this renewed it.
    pub(in crate::audit) fn successor(&self) -> Option<SessionRef> {
        let what = self.what.as_ref()?;
        what.related.filter(|_| matches!(what.kind, EntryKind::Renewed | EntryKind::Reauthenticated))
    }

    pub(in crate::audit) fn is(&self, kind: EntryKind) -> bool {
        self.what.as_ref().is_some_and(|what| what.kind == kind)
    }
}

impl What {
    fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let raw: Option<&[u8]> = row.try_get("delta_raw")?;
        if let Some(raw) = raw {
            // Byte for byte what was committed, where the columns hold less.
            return Ok(Self::of_payload(raw));
        }
        if row.try_get::<i16, _>("schema_version")? != Payload::SCHEMA.cast_signed() {
            return Ok(None);
        }
        let reference =
            |bytes: Option<&[u8]>| bytes.and_then(|bytes| bytes.try_into().ok()).map(SessionRef::from_bytes);
        let Some(kind) = EntryKind::parse(row.try_get("kind")?) else { return Ok(None) };
        let delta: Option<&str> = row.try_get("delta")?;
        let Some(delta) = Delta::parse(delta.unwrap_or("{}")) else { return Ok(None) };
        let Some(set) = values([delta.set], |value| normal(value).unwrap_or_else(|| value.to_owned())) else {
            return Ok(None);
        };
        Ok(Some(Self {
            kind,
            reason: EndReason::parse(row.try_get::<Option<&str>, _>("reason")?.unwrap_or("")),
            user: row.try_get("user_id")?,
            auth_method: row.try_get("auth_method")?,
            device: row.try_get("device")?,
            related: reference(row.try_get("related")?),
            lifetime: row.try_get::<Option<i64>, _>("lifetime_ms")?.and_then(|ms| u64::try_from(ms).ok()),
            class: class(row.try_get::<Option<i16>, _>("idle_class")?),
            cleared: delta.cleared,
            set,
            removed: names(delta.removed),
            secret: names(delta.secret),
        }))
    }

    fn of_payload(raw: &[u8]) -> Option<Self> {
        let payload: ParsedPayload<'_> = serde_json::from_slice(raw).ok()?;
        if payload.schema != Payload::SCHEMA {
            return None;
        }
        Some(Self {
            kind: EntryKind::parse(&payload.kind)?,
            reason: EndReason::parse(payload.reason.as_deref().unwrap_or("")),
            user: payload.user,
            auth_method: payload.auth_method,
            device: payload.device,
            related: payload.related.as_deref().and_then(SessionRef::parse),
            lifetime: payload.lifetime,
            class: payload.idle_class.and_then(IdleClass::new),
            cleared: payload.cleared,
            set: values([payload.set, payload.results], str::to_owned)?,
            removed: names(payload.removed),
            secret: names(payload.secret),
        })
    }
}

/// The `delta` column.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default)]
    cleared: bool,
    #[serde(borrow, default)]
    set: Option<&'a RawValue>,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    secret: Vec<String>,
}

impl<'a> Delta<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

fn class(index: Option<i16>) -> Option<IdleClass> {
    u8::try_from(index?).ok().and_then(IdleClass::new)
}

/// The members of these objects, later ones over earlier ones; `None` where they are no objects.
fn values<const N: usize>(
    objects: [Option<&RawValue>; N],
    text: fn(&str) -> String,
) -> Option<BTreeMap<FieldName, Json>> {
    let mut values = BTreeMap::new();
    for object in objects.into_iter().flatten() {
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object.get()).ok()?;
        for (name, value) in members {
            // A name that no session takes was never in one.
            if let Ok(name) = FieldName::new(&name) {
                values.insert(name, Json::from_text(text(value.get())));
            }
        }
    }
    Some(values)
}

fn names(names: Vec<String>) -> Vec<FieldName> {
    names.iter().filter_map(|name| FieldName::new(name).ok()).collect()
}
