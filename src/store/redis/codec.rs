//! Between Redis' replies and records.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use redis::Value;

use super::{heads::Heads, kept::Kept, layout};
use crate::{
    clock::Timestamp,
    id::{Address, SessionHandle, SessionRef},
    record::{
        Authentication, EndReason, Ended, Field, FieldName, Fields, Image, Record,
        packed::{Alone, Packed, SECRET},
    },
};

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
        let Sorted { packed, own, .. } = self.sort();
        Fields::of(packed.unwrap_or_default(), own).to_map()
    }

    /// The whole session. `None` if it is none of this schema's.
    pub(super) fn into_session(self, address: Address, now: Timestamp, ttl: Duration) -> Option<Session> {
        let Sorted { heads, older, meta, packed, whole, own } = self.sort();
        let (heads, meta, packed) = (heads?, meta?, packed?);
        let base = Heads::parse(&heads)?.base;
        let meta = Meta::parse(meta.get(2..)?)?;
        let deadline = meta.deadline;
        let record = Box::new(Record {
            address,
            superseded: false,
            base,
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
            image: Image::new(Kept {
                base,
                epoch: meta.epoch,
                deadline,
                heads,
                older,
                packed: packed.clone(),
                whole,
                seen_at: now,
            }),
            fields: Fields::of(packed, own),
        });
        let predecessor = meta.predecessor.map(|(at, from)| (at, from.to_owned()));
        Some(Session { record, epoch: meta.epoch, predecessor })
    }

    fn sort(self) -> Sorted {
        let mut sorted = Sorted { whole: true, ..Sorted::default() };
        for value in self.0.into_iter().filter_map(bytes) {
            match Part::of(&value) {
                Some(Part::Field) => {
                    sorted.whole = false;
                    sorted.own.extend(Alone::new(value.into()));
                }
                Some(Part::Packed) => sorted.packed = layout::of_field(value.into()),
                Some(Part::Heads) => sorted.heads = Some(value),
                Some(Part::Older) => sorted.older = Some(value.into()),
                Some(Part::Meta) => sorted.meta = Some(value),
                None => {}
            }
        }
        sorted
    }

    /// The second halves of all events that are remembered, of `older` and `h`, the oldest first.
    #[cfg(feature = "audit")]
    pub(super) fn recent(&self) -> Vec<u8> {
        let (mut older, mut newer) = ([].as_slice(), [].as_slice());
        for value in self.0.iter().filter_map(text) {
            match Part::of(value) {
                Some(Part::Heads) => newer = Heads::parse(value).map_or(newer, |heads| heads.recent),
                Some(Part::Older) => {
                    older = super::heads::Older::parse(value).map_or(older, |older| older.tails)
                }
                _ => {}
            }
        }
        let (older, newer) = (older.as_chunks::<8>().0, newer.as_chunks::<8>().0);
        older.iter().rev().chain(newer.iter().rev()).flatten().copied().collect()
    }
}

/// A session's values, told apart.
#[derive(Default)]
struct Sorted {
    /// The field `h`.
    heads: Option<Vec<u8>>,
    /// The field `older`.
    older: Option<Bytes>,
    /// The field `m`.
    meta: Option<Vec<u8>>,
    /// The field `p`.
    packed: Option<Packed>,
    /// Whether there are no other values, not even one that can't be read.
    whole: bool,
    /// Those that have a field of their own.
    own: Vec<Alone>,
}

/// What a value of a session's hash is.
enum Part {
    Heads,
    Older,
    Meta,
    Packed,
    Field,
}

impl Part {
    /// By its first byte. `None` for what nobody knows.
    fn of(value: &[u8]) -> Option<Self> {
        match value {
            [b'h', ..] => Some(Self::Heads),
            [b'~', ..] => Some(Self::Older),
            [b'm', b' ', ..] => Some(Self::Meta),
            [b'p', ..] => Some(Self::Packed),
            // A version never grows so large that it begins with anything else.
            [first, ..] if first & !SECRET < b' ' => Some(Self::Field),
            _ => None,
        }
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
        let mut words = text.splitn(11, |byte| *byte == b' ');
        let mut word = || words.next();
        let moment = |word| number(word).map(Timestamp::from_millis);
        let length = |word| usize::try_from(number(word)?).ok();
        let epoch = number(word()?)?;
        let deadline = moment(word()?)?;
        let created_at = moment(word()?)?;
        let _class = word()?;
        let authenticated_at = moment(word()?);
        let handle = SessionHandle::parse(word()?);
        let (renewed, from) = (moment(word()?), std::str::from_utf8(word()?).ok()?);
        let (user, method) = (length(word()?)?, length(word()?)?);
        let texts = std::str::from_utf8(word()?).ok()?;
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

/// A whole number of 19 digits at most, as scripts and Redis write it. Every load reads a handful.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let digits = Some(text).filter(|text| (1..=19).contains(&text.len()))?;
    digits.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
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

#[cfg(all(test, feature = "audit"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_put_together_in_order() {
        let value = |parts: &[&[u8]]| Value::BulkString(parts.concat());
        let newer = value(&[b"h34 ", b"the half", b"tail sev", b"tail six"]);
        let older = value(&[b"~1795478349478 ", b"~tail  2", b" tail 1 "]);
        let recent = |values: &[&Value]| Values(values.iter().copied().cloned().collect()).recent();
        assert_eq!(recent(&[&newer]), b"tail sixtail sev");
        for both in [[&newer, &older], [&older, &newer]] {
            assert_eq!(recent(&both), b" tail 1 ~tail  2tail sixtail sev");
        }
    }
}
