//! Between Redis' replies and records.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use redis::Value;

use crate::{
    clock::Timestamp,
    id::{Address, EventId, SessionHandle, SessionRef},
    record::{
        Authentication, Base, Change, Delta, EndReason, Ended, Field, FieldName, Json, Operation, Record,
        Version, Write,
    },
};

/// Names of the application's keys begin with this; all other fields are ours.
const MARK: char = '.';

/// The highest bit of a field's first six bytes; the rest is its version.
const SECRET: u8 = 0x80;

/// A hash as Redis sends it: name, value, name, value … or, in RESP3, as a map.
pub(super) struct Hash(Vec<(Vec<u8>, Vec<u8>)>);

impl Hash {
    pub(super) fn from_value(value: Value) -> Option<Self> {
        let text = |value| match value {
            Value::BulkString(bytes) => Some(bytes),
            Value::SimpleString(text) => Some(text.into_bytes()),
            _ => None,
        };
        match value {
            Value::Array(values) => {
                let mut values = values.into_iter();
                let mut pairs = Vec::with_capacity(values.len() / 2);
                while let Some(name) = values.next() {
                    pairs.push((text(name)?, text(values.next()?)?));
                }
                Some(Self(pairs))
            }
            Value::Map(pairs) => {
                let pairs = pairs.into_iter().map(|(name, value)| Some((text(name)?, text(value)?)));
                pairs.collect::<Option<_>>().map(Self)
            }
            _ => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field as it is.
    #[cfg(feature = "audit")]
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_slice())
    }

    /// The application's keys alone.
    pub(super) fn into_fields(self) -> BTreeMap<FieldName, Field> {
        self.0.into_iter().filter_map(|(name, value)| field(&name, &value)).collect()
    }

    /// What [`Ended`] or successor an aftermath hash tells of.
    pub(super) fn into_aftermath(self) -> Option<Aftermath> {
        let mut meta: HashMap<Vec<u8>, Vec<u8>> = self.0.into_iter().collect();
        match meta.get(&b"kind"[..])?.as_slice() {
            b"moved" => {
                let to: [u8; 32] = meta.get(&b"to"[..])?.as_slice().try_into().ok()?;
                let until = Timestamp::from_millis(meta.get(&b"until"[..]).and_then(|text| number(text))?);
                Some(Aftermath::Moved { to: SessionRef::from_bytes(to), until })
            }
            _ => {
                let mut take = |name: &[u8]| meta.remove(name).unwrap_or_default();
                Some(Aftermath::Ended(ended(&take(b"reason"), &take(b"at"), &take(b"device"))))
            }
        }
    }

    /// The whole session. `None` if it is none of this schema's.
    pub(super) fn into_session(self, address: Address, now: Timestamp, ttl: Duration) -> Option<Session> {
        let mut fields = BTreeMap::new();
        // A dozen at most: to look through them costs less than to hash them, 3,000 instructions a load.
        let mut meta = Vec::with_capacity(12);
        for (name, value) in &self.0 {
            match field(name, value) {
                Some((name, field)) => {
                    fields.insert(name, field);
                }
                None => meta.push((name.as_slice(), value.as_slice())),
            }
        }
        let get = |wanted: &[u8]| meta.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let millis = |name: &[u8]| get(name).and_then(number).map(Timestamp::from_millis);
        let text = |name: &[u8]| get(name).map(|text| String::from_utf8_lossy(text).into_owned());
        let head: [u8; 16] = get(b"head")?.try_into().ok()?;
        let deadline = millis(b"deadline")?;
        let record = Record {
            address,
            superseded: false,
            base: Base {
                version: Version::new(get(b"v").and_then(number)?),
                head: EventId::from_bytes(head),
            },
            created_at: millis(b"created")?,
            deadline,
            loaded_at: now,
            expires_in: ttl.min(deadline.since(now)),
            user: text(b"user"),
            authentication: millis(b"auth_at").map(|at| Authentication { at, method: text(b"auth_method") }),
            device: text(b"device"),
            handle: text(b"handle").and_then(|text| SessionHandle::parse(&text)),
            fields,
        };
        let predecessor = millis(b"renewed").zip(text(b"from"));
        Some(Session { record, epoch: get(b"epoch").and_then(number)?, predecessor })
    }
}

/// A session hash as read.
pub(super) struct Session {
    pub(super) record: Record,
    pub(super) epoch: u64,
    /// When it was renewed, and the hash in its former key.
    pub(super) predecessor: Option<(Timestamp, String)>,
}

/// An aftermath hash as read.
pub(super) enum Aftermath {
    Moved { to: SessionRef, until: Timestamp },
    Ended(Ended),
}

pub(super) fn ended(reason: &[u8], at: &[u8], device: &[u8]) -> Ended {
    Ended {
        reason: EndReason::parse(&String::from_utf8_lossy(reason)),
        at: number(at).map(Timestamp::from_millis),
        device: (!device.is_empty()).then(|| String::from_utf8_lossy(device).into_owned()),
    }
}

pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn field(name: &[u8], value: &[u8]) -> Option<(FieldName, Field)> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix(MARK)?;
    let name = FieldName::new(name).ok()?;
    let ([a, b, c, d, e, f], json) = value.split_first_chunk::<6>()?;
    let version = u64::from_be_bytes([0, 0, a & !SECRET, *b, *c, *d, *e, *f]);
    let value = match std::str::from_utf8(json) {
        Ok(text) => Json::from_text(text),
        // This was not written by us. It stays a value that nobody can decode, under its key. Not the way for
        // all of them: it goes byte by byte, a third of the instructions of a load of 8 KB.
        Err(_) => Json::from_text(String::from_utf8_lossy(json)),
    };
    Some((name, Field { version: Version::new(version), secret: a & SECRET != 0, value }))
}

/// A delta as the scripts take it: mode, name, flag and value. Several operations on one key follow one
/// another.
pub(super) fn changes(delta: &Delta) -> impl Iterator<Item = (&'static str, &str, Vec<u8>)> {
    delta.changes.iter().flat_map(|(name, change)| {
        let (writes, operations) = match &change.write {
            Write::Apply(operations) => (None, operations.as_slice()),
            write => (Some(write), [].as_slice()),
        };
        let write = writes.map(|write| written(write, change));
        let operations = operations.iter().map(|operation| operated(operation, change.secret));
        write.into_iter().chain(operations).map(|(mode, value)| (mode, name.as_str(), value))
    })
}

fn written(write: &Write, change: &Change) -> (&'static str, Vec<u8>) {
    match (write, change.watched) {
        (Write::Set(value), None) => ("s", flagged(value.as_str(), change.secret)),
        (Write::Set(value), Some(true)) => ("S", flagged(value.as_str(), change.secret)),
        (Write::Set(value), Some(false)) => ("T", flagged(value.as_str(), change.secret)),
        (_, None) => ("d", Vec::new()),
        (_, Some(true)) => ("D", Vec::new()),
        (_, Some(false)) => ("E", Vec::new()),
    }
}

fn operated(operation: &Operation, secret: bool) -> (&'static str, Vec<u8>) {
    match operation {
        Operation::Increment(by) => ("+", flagged(&by.to_string(), secret)),
        Operation::Max(other) => (">", flagged(&other.to_string(), secret)),
        Operation::Push { element, cap } => ("p", flagged(&format!("{cap}:{}", element.as_str()), secret)),
        Operation::Add(element) => ("a", flagged(element.as_str(), secret)),
        Operation::Discard(element) => ("r", flagged(element.as_str(), secret)),
    }
}

fn flagged(value: &str, secret: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + value.len());
    bytes.push(if secret { SECRET } else { 0 });
    bytes.extend_from_slice(value.as_bytes());
    bytes
}
