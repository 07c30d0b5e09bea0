//! From a row to an event.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::HistoryEvent;
use crate::{
    audit::ParsedPayload,
    clock::Timestamp,
    id::{EventId, SessionRef},
};

/// A row of the trail, as selected.
#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    event_id: Uuid,
    prev_event_id: Option<Uuid>,
    at: i64,
    #[sqlx(rename = "ref")]
    reference: Vec<u8>,
    version: Option<i64>,
    kind: String,
    reason: Option<String>,
    user_id: Option<String>,
    auth_method: Option<String>,
    device: Option<String>,
    related: Option<Vec<u8>>,
    method: Option<String>,
    route: Option<String>,
    client_ip: Option<String>,
    trace_id: Option<String>,
    flags: i16,
    delta: Option<String>,
    delta_raw: Option<Vec<u8>>,
}

/// The `delta` column.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    cleared: bool,
    set: BTreeMap<String, Box<RawValue>>,
    removed: Vec<String>,
    secret: Vec<String>,
}

impl EventRow {
    /// What was changed; `None` where the row does not tell, or tells what this release can't read.
    fn delta(&self) -> Option<Delta> {
        if let Some(delta) = &self.delta {
            return serde_json::from_str(delta).ok();
        }
        if self.flags & crate::audit::postgres::RAW == 0 {
            return Some(Delta::default());
        }
        // What jsonb would not take is in the payload.
        let payload: ParsedPayload<'_> = serde_json::from_slice(self.delta_raw.as_deref()?).ok()?;
        if payload.schema != crate::audit::Payload::SCHEMA {
            return None;
        }
        let mut set = BTreeMap::new();
        for object in [payload.set, payload.results].into_iter().flatten() {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object.get()).ok()?;
            set.extend(members);
        }
        Some(Delta { cleared: payload.cleared, set, removed: payload.removed, secret: payload.secret })
    }
}

pub(super) fn reference(bytes: Vec<u8>) -> Option<SessionRef> {
    bytes.try_into().ok().map(SessionRef::from_bytes)
}

impl From<EventRow> for HistoryEvent {
    fn from(row: EventRow) -> Self {
        let delta = row.delta();
        let complete = delta.is_some();
        let Delta { cleared, set, removed, secret } = delta.unwrap_or_default();
        Self {
            event: EventId::from(row.event_id),
            predecessor: row.prev_event_id.map(EventId::from),
            at: Timestamp::from_millis(u64::try_from(row.at).unwrap_or_default()),
            reference: reference(row.reference),
            version: row.version.and_then(|version| u64::try_from(version).ok()),
            kind: row.kind,
            reason: row.reason,
            user: row.user_id,
            auth_method: row.auth_method,
            device: row.device,
            related: row.related.and_then(reference),
            method: row.method,
            route: row.route,
            client_ip: row.client_ip,
            trace_id: row.trace_id,
            cleared,
            set: set.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect(),
            removed,
            secret,
            complete,
            forked: false,
        }
    }
}
