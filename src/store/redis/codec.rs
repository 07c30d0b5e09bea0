//! Between Redis' replies and records.

use std::{collections::BTreeMap, time::Duration};

use redis::Value;

use crate::{
    clock::Timestamp,
    id::{Address, EventId, SessionHandle, SessionRef},
    record::{
        Authentication, Base, Change, Delta, EndReason, Ended, Field, FieldName, Json, Operation, Record,
        Version, Write,
    },
};

/// The highest bit of a field's first six bytes; the rest is its version.
const SECRET: u8 = 0x80;

/// What becomes of a session is remembered in a hash, as Redis sends it: name, value, name, value …
pub(super) struct Remembered(Vec<Value>);

impl Remembered {
    pub(super) fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Array(values) => Some(Self(values)),
            // In RESP3.
            Value::Map(pairs) => Some(Self(pairs.into_iter().flat_map(<[Value; 2]>::from).collect())),
            _ => None,
        }
    }

    /// A field as it is.
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let mut pairs = self.0.as_chunks::<2>().0.iter();
        pairs.find(|[field, _]| text(field) == Some(name)).and_then(|[_, value]| text(value))
    }

    pub(super) fn aftermath(&self) -> Option<Aftermath> {
        match self.get(b"kind")? {
            b"moved" => {
                let to: [u8; 32] = self.get(b"to")?.try_into().ok()?;
                let until = Timestamp::from_millis(self.get(b"until").and_then(number)?);
                Some(Aftermath::Moved { to: SessionRef::from_bytes(to), until })
            }
            _ => {
                let get = |name| self.get(name).unwrap_or_default();
                Some(Aftermath::Ended(ended(get(b"reason"), get(b"at"), get(b"device"))))
            }
        }
    }
}

/// The values of a session's hash, in any order: each tells what it is. Without their names there is half as much
/// to parse.
pub(super) struct Values(Vec<Value>);

impl Values {
    pub(super) fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Array(values) if values.iter().all(|value| text(value).is_some()) => Some(Self(values)),
            _ => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The application's keys alone.
    pub(super) fn into_fields(self) -> BTreeMap<FieldName, Field> {
        self.sort().fields
    }

    /// The whole session. `None` if it is none of this schema's.
    pub(super) fn into_session(self, address: Address, now: Timestamp, ttl: Duration) -> Option<Session> {
        let Sorted { version, head, meta, fields } = self.sort();
        let meta = meta?;
        let meta = Meta::parse(meta.get(2..)?)?;
        let deadline = meta.deadline;
        let record = Box::new(Record {
            address,
            superseded: false,
            base: Base { version: Version::new(version?), head: head? },
            created_at: meta.created_at,
            deadline,
            loaded_at: now,
            expires_in: ttl.min(deadline.since(now)),
            user: meta.user.map(str::to_owned),
            authentication: meta
                .authenticated_at
                .map(|at| Authentication { at, method: meta.method.map(str::to_owned) }),
            device: meta.device.map(str::to_owned),
            handle: meta.handle,
            fields,
        });
        let predecessor = meta.predecessor.map(|(at, from)| (at, from.to_owned()));
        Some(Session { record, epoch: meta.epoch, predecessor })
    }

    fn sort(self) -> Sorted {
        let mut sorted = Sorted::default();
        let mut fields = Vec::with_capacity(self.0.len());
        for value in self.0.into_iter().filter_map(bytes) {
            match Part::of(&value) {
                Some(Part::Field) => fields.extend(named(value)),
                Some(Part::Version(text)) => sorted.version = number(text),
                Some(Part::Heads(heads)) => sorted.head = Heads::parse(heads).map(|heads| heads.last),
                Some(Part::Meta) => sorted.meta = Some(value),
                None => {}
            }
        }
        // All at once: one by one, each looks for its place.
        sorted.fields = BTreeMap::from_iter(fields);
        sorted
    }

    /// The second halves of all events that are remembered, of `older` and `h`.
    #[cfg(feature = "audit")]
    pub(super) fn recent(&self) -> Vec<u8> {
        let (mut older, mut newer) = ([].as_slice(), [].as_slice());
        for value in self.0.iter().filter_map(text) {
            match (value, Part::of(value)) {
                (_, Some(Part::Heads(bytes))) => {
                    newer = Heads::parse(bytes).map_or(newer, |heads| heads.recent)
                }
                ([b'~', rest @ ..], _) => {
                    let space = rest.iter().position(|byte| *byte == b' ');
                    older = space.and_then(|space| rest.get(space + 1..)).unwrap_or_default();
                }
                _ => {}
            }
        }
        [older, newer].concat()
    }
}

/// A session's values, told apart.
#[derive(Default)]
struct Sorted {
    version: Option<u64>,
    head: Option<EventId>,
    /// The field `m`.
    meta: Option<Vec<u8>>,
    fields: BTreeMap<FieldName, Field>,
}

/// What a value of a session's hash is.
enum Part<'a> {
    Version(&'a [u8]),
    Heads(&'a [u8]),
    Meta,
    Field,
}

impl<'a> Part<'a> {
    /// By its first byte. `None` for what only scripts read, or nobody knows.
    fn of(value: &'a [u8]) -> Option<Self> {
        match value {
            [b'0'..=b'9', ..] => Some(Self::Version(value)),
            [b'h', rest @ ..] => Some(Self::Heads(rest)),
            [b'm', b' ', ..] => Some(Self::Meta),
            // A version never grows so large that it begins with anything else.
            [first, ..] if first & !SECRET < b' ' => Some(Self::Field),
            _ => None,
        }
    }
}

/// The field `h`, without its first byte.
pub(super) struct Heads<'a> {
    pub(super) last: EventId,
    /// Tails of the last events, this one's included.
    #[cfg_attr(not(feature = "audit"), expect(dead_code, reason = "for `inspect`"))]
    pub(super) recent: &'a [u8],
}

impl<'a> Heads<'a> {
    /// Of the field as it is.
    #[cfg(feature = "audit")]
    pub(super) fn of_field(field: &'a [u8]) -> Option<Self> {
        field.strip_prefix(b"h").and_then(Self::parse)
    }

    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let (first, recent) = text.split_first_chunk::<8>()?;
        let last = recent.last_chunk::<8>()?;
        let mut id = [0; 16];
        let (front, back) = id.split_at_mut(8);
        front.copy_from_slice(first);
        back.copy_from_slice(last);
        Some(Self { last: EventId::from_bytes(id), recent })
    }
}

/// The field `m`, see `scripts/meta.lua`, without its first word.
#[derive(Clone, Copy)]
struct Meta<'a> {
    epoch: u64,
    deadline: Timestamp,
    created_at: Timestamp,
    authenticated_at: Option<Timestamp>,
    handle: Option<SessionHandle>,
    /// When it was renewed, and the hash in its former key.
    predecessor: Option<(Timestamp, &'a str)>,
    user: Option<&'a str>,
    method: Option<&'a str>,
    device: Option<&'a str>,
}

impl<'a> Meta<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.splitn(11, ' ');
        let mut word = || words.next();
        let number = |word: &str| word.parse::<u64>().ok();
        let moment = |word: &str| number(word).map(Timestamp::from_millis);
        let epoch = number(word()?)?;
        let deadline = moment(word()?)?;
        let created_at = moment(word()?)?;
        let _class = word()?;
        let authenticated_at = moment(word()?);
        let handle = SessionHandle::parse(word()?);
        let (renewed, from) = (moment(word()?), word()?);
        let (user, method) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let texts = word()?;
        let (user, texts) = texts.split_at_checked(user)?;
        let (method, device) = texts.split_at_checked(method)?;
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        Some(Self {
            epoch,
            deadline,
            created_at,
            authenticated_at,
            handle,
            predecessor: renewed.map(|at| (at, from)),
            user: some(user),
            method: some(method),
            device: some(device),
        })
    }
}

/// A session hash as read.
pub(super) struct Session {
    pub(super) record: Box<Record>,
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

fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// A key and its value: six bytes of version, one of how long the name is, the name, JSON. The value stays in the
/// memory in which it came.
fn named(field: Vec<u8>) -> Option<(FieldName, Field)> {
    const START: usize = 7;
    let ([a, b, c, d, e, f, length], rest) = field.split_first_chunk::<START>()?;
    let version = Version::new(u64::from_be_bytes([0, 0, a & !SECRET, *b, *c, *d, *e, *f]));
    let secret = a & SECRET != 0;
    let length = usize::from(*length);
    let name = FieldName::new(std::str::from_utf8(rest.get(..length)?).ok()?).ok()?;
    // What is no text was not written by us. It stays a value that nobody can decode, under its key.
    let value = Json::behind(START + length, field).unwrap_or_else(|| Json::from_text("\u{fffd}"));
    Some((name, Field { version, secret, value }))
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

#[cfg(all(test, feature = "audit"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_put_together_in_order() {
        let value = |parts: &[&[u8]]| Value::BulkString(parts.concat());
        let newer = value(&[b"h", b"the half", b"tail six", b"tail sev"]);
        let older = value(&[b"~1795478349478 ", b" tail 1 ", b"~tail  2"]);
        let recent = |values: &[&Value]| Values(values.iter().copied().cloned().collect()).recent();
        assert_eq!(recent(&[&newer]), b"tail sixtail sev");
        for both in [[&newer, &older], [&older, &newer]] {
            assert_eq!(recent(&both), b" tail 1 ~tail  2tail sixtail sev");
        }
    }
}
