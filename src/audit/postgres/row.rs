//! From an entry, however broken, to a row that PostgreSQL takes.

mod gap;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub(in crate::audit) use gap::Gap;

use super::{jsonb, normal, text};
use crate::{
    audit::{
        ParsedPayload, Payload,
        queue::{ShardKeys, Waiting},
        seal::Parts,
    },
    id::SessionRef,
};

/// `delta` is not told: `delta_raw` holds the payload.
pub(in crate::audit) const RAW: i16 = 1;
/// A column holds less than the entry did: it was cleaned, cut or could not be read. `delta_raw` holds the
/// payload.
pub(super) const ALTERED: i16 = 2;
/// A value comes back from `jsonb` otherwise than it was written. `delta_raw` holds the payload.
pub(super) const REWORDED: i16 = 4;

/// The last moment of the year 9999, in milliseconds since the Unix epoch. A stream id may name any time up
/// to 2^64; a `timestamptz` ends in the year 294276, and a partition must be made for whatever comes.
const LAST_MOMENT: i64 = 253_402_300_799_999;

/// One row of `cloakroom.session_event`.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Row {
    pub(super) namespace: Arc<str>,
    pub(super) event_id: Uuid,
    /// Milliseconds since the Unix epoch.
    pub(super) occurred_at: i64,
    pub(super) reference: Option<SessionRef>,
    pub(super) version: Option<i64>,
    pub(super) predecessor: Option<Uuid>,
    pub(super) kind: String,
    pub(super) reason: Option<String>,
    pub(super) user: Option<String>,
    pub(super) auth_method: Option<String>,
    pub(super) device: Option<String>,
    pub(super) related: Option<SessionRef>,
    pub(super) lifetime: Option<i64>,
    pub(super) idle_class: Option<i16>,
    pub(super) method: Option<String>,
    pub(super) route: Option<String>,
    pub(super) client_ip: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) schema: i16,
    pub(super) flags: i16,
    pub(super) delta: Option<String>,
    pub(super) delta_raw: Option<Vec<u8>>,
    pub(super) shard: i16,
    pub(super) stream_id: String,
}

impl Row {
    /// What the row is found by. Rows are inserted in this order: two writers that hold the same rows
    /// then wait for one another, where in opposite orders they would deadlock (40P01).
    pub(in crate::audit) fn key(&self) -> (Uuid, i64) {
        (self.event_id, self.occurred_at)
    }

    pub(in crate::audit) fn new(keys: &ShardKeys, entry: &Waiting) -> Self {
        let mut row = Self::blank(keys, entry);
        match serde_json::from_slice::<ParsedPayload<'_>>(&entry.payload) {
            Ok(payload) => row.read(&payload),
            Err(_) => match Gap::parse(&entry.payload) {
                Some(gap) => gap.fill(&mut row),
                None => row.salvage(&entry.payload),
            },
        }
        if row.flags != 0 {
            row.delta_raw = Some(entry.payload.clone());
        }
        row
    }

    /// The row as it is hashed. Addresses are as `text(inet)` gives them, values as `jsonb` does: see
    /// [`TrailRow`](crate::audit::seal::TrailRow), which is the same read back.
    pub(in crate::audit) fn hashed<T>(&self, then: impl FnOnce(Parts<'_>) -> T) -> T {
        let length = |ip: &String| format!("{ip}/{}", if ip.contains(':') { 128 } else { 32 });
        let client_ip = self.client_ip.as_ref().map(length);
        let delta = self.delta.as_deref().and_then(normal);
        then(Parts {
            namespace: &self.namespace,
            event_id: self.event_id,
            occurred_us: self.occurred_at.saturating_mul(1000),
            reference: self.reference.as_ref().map(|id| id.as_bytes().as_slice()),
            version: self.version,
            predecessor: self.predecessor,
            kind: &self.kind,
            reason: self.reason.as_deref(),
            related: self.related.as_ref().map(|id| id.as_bytes().as_slice()),
            lifetime: self.lifetime,
            idle_class: self.idle_class,
            schema: self.schema,
            flags: self.flags,
            shard: self.shard,
            stream_id: &self.stream_id,
            user: self.user.as_deref(),
            auth_method: self.auth_method.as_deref(),
            device: self.device.as_deref(),
            method: self.method.as_deref(),
            route: self.route.as_deref(),
            client_ip: client_ip.as_deref(),
            user_agent: self.user_agent.as_deref(),
            trace_id: self.trace_id.as_deref(),
            delta: delta.as_deref(),
            delta_raw: self.delta_raw.as_deref(),
        })
    }

    /// What is known without the payload.
    fn blank(keys: &ShardKeys, entry: &Waiting) -> Self {
        let origin = entry.origin();
        let version = std::str::from_utf8(&entry.version).ok().and_then(|text| text.parse::<i64>().ok());
        // The end of a session that Redis had dropped: its version went with it.
        let version = version.filter(|version| *version != 0);
        let predecessor = Uuid::from_slice(&entry.predecessor).ok();
        let mut row = Self {
            namespace: keys.namespace.clone(),
            event_id: stand_in(&keys.stream, &origin.to_string()),
            occurred_at: i64::try_from(origin.millis()).unwrap_or(LAST_MOMENT).min(LAST_MOMENT),
            reference: None,
            version,
            predecessor: predecessor.filter(|id| !id.is_nil()),
            kind: "unreadable".into(),
            reason: None,
            user: None,
            auth_method: None,
            device: None,
            related: None,
            lifetime: None,
            idle_class: None,
            method: None,
            route: None,
            client_ip: None,
            user_agent: None,
            trace_id: None,
            schema: 0,
            flags: 0,
            delta: None,
            delta_raw: None,
            // At most 4095.
            shard: i16::try_from(keys.shard.index()).unwrap_or(i16::MAX),
            stream_id: origin.to_string(),
        };
        row.alter_if(version.is_none() || predecessor.is_none());
        row
    }

    fn read(&mut self, payload: &ParsedPayload<'_>) {
        self.schema = i16::try_from(payload.schema).unwrap_or(i16::MAX);
        self.read_names(Some(&payload.id), Some(&payload.reference), Some(&payload.kind));
        self.reason = self.column(payload.reason.as_deref());
        self.user = self.user_column(payload.user.as_deref());
        self.auth_method = self.column(payload.auth_method.as_deref());
        self.device = self.column(payload.device.as_deref());
        self.related = payload.related.as_deref().and_then(SessionRef::parse);
        self.lifetime = payload.lifetime.and_then(|millis| i64::try_from(millis).ok());
        self.alter_if(self.related.is_none() && payload.related.is_some());
        self.alter_if(self.lifetime.is_none() && payload.lifetime.is_some());
        self.idle_class = payload.idle_class.map(i16::from);
        self.method = self.column(payload.context.method.as_deref());
        self.route = self.column(payload.context.route.as_deref());
        self.client_ip = payload.context.ip.map(|ip| ip.to_string());
        self.user_agent = self.column(payload.context.user_agent.as_deref());
        self.trace_id = self.column(payload.context.trace_id.as_deref());
        // A later release may have given the old names another meaning: its own writer will know.
        match (payload.schema == Payload::SCHEMA).then(|| delta(payload)) {
            Some(Some((delta, faithful))) => {
                self.delta = delta;
                self.flags |= if faithful { 0 } else { REWORDED };
            }
            Some(None) | None => self.flags |= RAW,
        }
    }

    /// Finds in a payload that can't be read as a whole the names that tie it to its session.
    fn salvage(&mut self, payload: &[u8]) {
        self.flags |= RAW;
        let fields: HashMap<String, &RawValue> = serde_json::from_slice(payload).unwrap_or_default();
        self.schema = field(&fields, "schema").unwrap_or(0);
        let [id, reference, kind] = ["id", "ref", "kind"].map(|name| field::<String>(&fields, name));
        self.read_names(id.as_deref(), reference.as_deref(), kind.as_deref());
        self.user = self.user_column(field::<String>(&fields, "user").as_deref());
    }

    fn read_names(&mut self, id: Option<&str>, reference: Option<&str>, kind: Option<&str>) {
        // An id that cannot be read is replaced by one that is the same on every redelivery.
        let event_id = id.and_then(|id| Uuid::try_parse(id).ok()).filter(|id| !id.is_nil());
        self.event_id = event_id.unwrap_or(self.event_id);
        self.reference = reference.and_then(SessionRef::parse);
        // An empty ref is what an entry has that is about no session.
        let unread = self.reference.is_none() && reference != Some("");
        self.alter_if(event_id.is_none() || unread);
        if let Some(kind) = self.column(kind) {
            self.kind = kind;
        }
    }

    fn column(&mut self, value: Option<&str>) -> Option<String> {
        self.cleaned(value, text::MAX_COLUMN)
    }

    fn user_column(&mut self, value: Option<&str>) -> Option<String> {
        self.cleaned(value, text::MAX_USER)
    }

    fn cleaned(&mut self, value: Option<&str>, max: usize) -> Option<String> {
        let cleaned = text::clean(value?, max);
        self.alter_if(value != Some(&*cleaned));
        Some(cleaned.into_owned())
    }

    fn alter_if(&mut self, altered: bool) {
        if altered {
            self.flags |= ALTERED;
        }
    }
}

/// One field of a payload that can't be read as a whole.
fn field<T: DeserializeOwned>(fields: &HashMap<String, &RawValue>, name: &str) -> Option<T> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

/// The `delta` column: `None` in it where nothing changed; and whether `jsonb` gives each value back as it
/// was written. `None` where `jsonb` would refuse it.
fn delta(payload: &ParsedPayload<'_>) -> Option<(Option<String>, bool)> {
    #[derive(Serialize)]
    struct Delta<'a> {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cleared: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        set: Option<&'a BTreeMap<String, &'a RawValue>>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        removed: &'a [String],
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        secret: &'a [String],
    }
    let ParsedPayload { cleared, removed, secret, .. } = payload;
    let mut set = None;
    for object in [payload.set, payload.results].into_iter().flatten() {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(object.get()).ok()?;
        set.get_or_insert_with(BTreeMap::new).extend(members);
    }
    if !cleared && set.is_none() && removed.is_empty() && secret.is_empty() {
        return Some((None, true));
    }
    let json =
        serde_json::to_string(&Delta { cleared: *cleared, set: set.as_ref(), removed, secret }).ok()?;
    if !jsonb::accepts(&json) {
        return None;
    }
    let values = set.iter().flat_map(BTreeMap::values);
    let faithful = values.into_iter().all(|value| normal(value.get()).as_deref() == Some(value.get()));
    Some((Some(json), faithful))
}

/// The event id of an entry that names none: a UUIDv8 (free form, RFC 9562) from the place where the entry
/// was first written. The stream's key is in it because stream ids are unique in one stream only.
fn stand_in(stream: &str, origin: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(stream);
    hash.update([0]);
    hash.update(origin);
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests;
