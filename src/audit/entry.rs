//! One line of the trail.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::RequestContext;
use crate::{
    clock::Timestamp,
    id::{EventId, SessionRef, Shard},
    record::{Delta, Version, Write},
};

/// How much of a change the trail tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AuditDetail {
    /// The values too, except those of secret keys. From them a session can be rebuilt after Redis was lost.
    #[default]
    Values,
    /// Only which keys were written and removed: no value leaves the session. **From such a trail nothing can
    /// be recovered** but who was signed in; a session's state at a time cannot be told either.
    Names,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A session began without a user.
    Created,
    /// A session began by a sign-in.
    SignedIn,
    /// Keys changed.
    Changed,
    /// The user who is signed in proved it again: the session moved to a new token, both timeouts began
    /// again, and keys may have changed too.
    Reauthenticated,
    /// The session moved to a new token; keys may have changed too.
    Renewed,
    /// The session ended; the reason says why.
    Ended,
    /// The epoch of the shard was raised to the entry's version: every session of it that began before is
    /// void. It belongs to no session.
    Epoch,
    /// The session was put back from the trail after Redis had lost it. Where it was put back as it was
    /// at an earlier time, its values are told; the keys that could not be put back are told as removed.
    Recovered,
}

impl EntryKind {
    /// The word in the trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::SignedIn => "signed_in",
            Self::Changed => "changed",
            Self::Reauthenticated => "reauthenticated",
            Self::Renewed => "renewed",
            Self::Ended => "ended",
            Self::Epoch => "epoch",
            Self::Recovered => "recovered",
        }
    }

    /// Reads that word. A word of a newer release is `None`.
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [EntryKind; 8] = [
            EntryKind::Created,
            EntryKind::SignedIn,
            EntryKind::Changed,
            EntryKind::Reauthenticated,
            EntryKind::Renewed,
            EntryKind::Ended,
            EntryKind::Epoch,
            EntryKind::Recovered,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of an entry that is known before the change is made: what the application sends along
/// with it, as JSON.
///
/// ```json
/// {"schema":1,"id":"0193…","kind":"changed","ref":"mD3…","user":"alice",
///  "set":{"cart":["tea"]},"removed":["note"],"secret":["otp"],
///  "context":{"method":"POST","route":"/cart"}}
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Payload<'a> {
    /// Values are not told, only the names of keys. It stands first, where the commit script looks for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub names_only: bool,
    /// The version of this layout. A writer keeps what it does not know as raw bytes.
    pub schema: u16,
    /// The change's name.
    #[serde(serialize_with = "event_id")]
    pub id: EventId,
    /// What happened.
    pub kind: EntryKind,
    /// Which session. `None`, in JSON the empty text, where it is about none of them: [`EntryKind::Epoch`].
    #[serde(rename = "ref", serialize_with = "display_or_empty")]
    pub reference: Option<SessionRef>,
    /// Who was signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// How the user signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<&'a str>,
    /// What the application calls the client's device; told where a session begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<&'a str>,
    /// Why the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The session that this one follows (a sign-in), or the new ref (a renewal).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "display_option")]
    pub related: Option<SessionRef>,
    /// The absolute lifetime in milliseconds, and the idle class: what recovery needs to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// See `lifetime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_class: Option<u8>,
    /// Every key was removed first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleared: bool,
    /// What was written and removed.
    #[serde(flatten)]
    pub delta: DeltaView<'a>,
    /// The request.
    pub context: &'a RequestContext,
}

impl Payload<'_> {
    /// The layout that this release writes.
    pub const SCHEMA: u16 = 1;

    pub(super) fn blank<'a>(id: EventId, reference: SessionRef, context: &'a RequestContext) -> Payload<'a> {
        Payload {
            names_only: false,
            schema: Self::SCHEMA,
            id,
            kind: EntryKind::Changed,
            reference: Some(reference),
            user: None,
            auth_method: None,
            device: None,
            reason: None,
            related: None,
            lifetime: None,
            idle_class: None,
            cleared: false,
            delta: DeltaView::of(None),
            context,
        }
    }

    /// The same without values: every key that was written is named as if it were secret.
    #[must_use]
    pub fn names_only(mut self) -> Self {
        self.names_only = true;
        self.delta.names_only = true;
        self
    }

    /// The epoch was raised.
    pub(crate) fn of_namespace(id: EventId, context: &RequestContext) -> Payload<'_> {
        let none = SessionRef::from_bytes([0; 32]);
        Payload { kind: EntryKind::Epoch, reference: None, ..Payload::blank(id, none, context) }
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        // Nothing in here can fail to serialise: maps have text keys, values are JSON already.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A delta as the trail tells it: values, except those that must not leave the store.
#[derive(Clone, Copy, Debug)]
pub struct DeltaView<'a> {
    pub(crate) delta: Option<&'a Delta>,
    names_only: bool,
}

impl<'a> DeltaView<'a> {
    pub(super) const fn of(delta: Option<&'a Delta>) -> Self {
        Self { delta, names_only: false }
    }
}

impl Serialize for DeltaView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut set: BTreeMap<&str, &RawValue> = BTreeMap::new();
        let (mut removed, mut secret) = (Vec::new(), Vec::new());
        for (name, change) in self.delta.iter().flat_map(|delta| &delta.changes) {
            match &change.write {
                Write::Set(_) | Write::Apply(_) if change.secret || self.names_only => {
                    secret.push(name.as_str())
                }
                Write::Set(value) => {
                    set.insert(
                        name.as_str(),
                        serde_json::from_str(value.as_str()).map_err(serde::ser::Error::custom)?,
                    );
                }
                Write::Remove => removed.push(name.as_str()),
                // Only the store knows what they come to; it puts that into the entry.
                Write::Apply(_) => {}
            }
        }
        let mut map = serializer.serialize_map(None)?;
        if !set.is_empty() {
            map.serialize_entry("set", &set)?;
        }
        if !removed.is_empty() {
            map.serialize_entry("removed", &removed)?;
        }
        if !secret.is_empty() {
            map.serialize_entry("secret", &secret)?;
        }
        map.end()
    }
}

/// A whole line of the trail, as the queue or the embedded store holds it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the session lived.
    pub shard: Shard,
    /// The stream's own id, `milliseconds-sequence`: the same on every redelivery.
    pub stream_id: String,
    /// When, by the store's clock: the first half of the stream id.
    pub occurred_at: Timestamp,
    /// The version that the change made. 0 for the end of a session that had run out when a sweep noticed it:
    /// its version went with it.
    pub version: Version,
    /// The event that it follows; none for a session's first, and for an end of version 0.
    pub predecessor: EventId,
    /// A [`Payload`] as JSON, byte for byte as it was written.
    pub payload: Vec<u8>,
}

impl Entry {
    /// The payload's fields, as far as this release knows them; `None` where it can't be read.
    pub fn parse(&self) -> Option<ParsedPayload<'_>> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// A [`Payload`] as read back.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ParsedPayload<'a> {
    /// The version of the layout.
    pub schema: u16,
    /// The change's name.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What happened.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Which session; empty where it is about none of them.
    #[serde(rename = "ref", borrow)]
    pub reference: Cow<'a, str>,
    /// Who was signed in.
    #[serde(default)]
    pub user: Option<String>,
    /// How the user signed in.
    #[serde(default)]
    pub auth_method: Option<String>,
    /// What the application calls the client's device.
    #[serde(default)]
    pub device: Option<String>,
    /// Why the session ended.
    #[serde(default)]
    pub reason: Option<String>,
    /// The session before, or after.
    #[serde(default)]
    pub related: Option<String>,
    /// The absolute lifetime in milliseconds.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// The idle class.
    #[serde(default)]
    pub idle_class: Option<u8>,
    /// Every key was removed first.
    #[serde(default)]
    pub cleared: bool,
    /// What was written.
    #[serde(borrow, default)]
    pub set: Option<&'a RawValue>,
    /// What the operations that the store worked out came to. The queue's reader puts it here.
    #[serde(borrow, default)]
    pub results: Option<&'a RawValue>,
    /// What was removed.
    #[serde(default)]
    pub removed: Vec<String>,
    /// What was written and may not be told.
    #[serde(default)]
    pub secret: Vec<String>,
    /// The request.
    #[serde(default)]
    pub context: RequestContext,
}

fn event_id<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
    // By `Display`, its letters pass the formatter one by one, and each change has one.
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    serializer.serialize_str(id.as_uuid().hyphenated().encode_lower(&mut text))
}

fn display_or_empty<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_str(""),
    }
}

fn display_option<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
