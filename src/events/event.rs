//! One event, and how it is written.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    audit::{EntryKind, Payload},
    clock::Timestamp,
    error::{Error, ErrorKind},
    id::{SessionRef, Shard},
    record::{EndReason, Version},
};

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// Where it stands in its shard's log.
    pub position: EventPosition,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: EntryKind,
    /// Which session; `None` where it is about all of the shard, as [`EntryKind::Epoch`] is.
    pub session: Option<SessionRef>,
    /// What the session is called from now on, after a renewal.
    pub successor: Option<SessionRef>,
    /// The session's version that it made; 0 where the session ran out and nobody knows it any more.
    pub version: Version,
    /// Who is signed in.
    pub user: Option<String>,
    /// The names of the keys that were written or removed: the first 32. With `more`, there were others.
    pub keys: Vec<String>,
    /// Whether there were more keys than are named, or all were removed.
    pub more: bool,
    /// Why the session ended, where it did.
    pub reason: Option<EndReason>,
}

/// Where an event stands: the shard, and the place in that shard's log. As text it is what an SSE stream sends as
/// `id` and a browser brings back as `Last-Event-ID`; it tells nothing of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPosition {
    shard: u16,
    millis: u64,
    sequence: u64,
}

impl EventPosition {
    pub(crate) const fn new(shard: Shard, millis: u64, sequence: u64) -> Self {
        Self { shard: shard.index(), millis, sequence }
    }

    /// The beginning of a shard's log.
    #[cfg(feature = "redis")]
    pub(crate) const fn zero(shard: Shard) -> Self {
        Self::new(shard, 0, 0)
    }

    /// From the id of an entry of the stream, `milliseconds-sequence`.
    pub(crate) fn of_entry(shard: Shard, id: &str) -> Option<Self> {
        let (millis, sequence) = id.split_once('-')?;
        Some(Self::new(shard, number(millis)?, number(sequence)?))
    }

    /// The id of the entry.
    #[cfg(feature = "redis")]
    pub(crate) fn entry(&self) -> String {
        format!("{}-{}", self.millis, self.sequence)
    }

    pub(crate) const fn shard(&self) -> Shard {
        Shard::from_index(self.shard)
    }

    #[cfg(feature = "redis")]
    pub(crate) const fn is_zero(&self) -> bool {
        self.millis == 0 && self.sequence == 0
    }

    /// Whether it is younger, whatever the shards.
    pub(crate) fn entry_is_after(&self, other: &Self) -> bool {
        (self.millis, self.sequence) > (other.millis, other.sequence)
    }

    const fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.millis)
    }
}

/// Digits and nothing else: `u64::from_str` takes a sign.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl fmt::Display for EventPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.millis, self.sequence)
    }
}

impl FromStr for EventPosition {
    type Err = Error;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (shard, entry) = text.split_once('-')?;
            let shard = u16::try_from(number(shard)?).ok().filter(|shard| *shard < 4096)?;
            Self::of_entry(Shard::from_index(shard), entry)
        };
        parse().ok_or_else(|| Error::msg(ErrorKind::Decode, "this is no position of an event"))
    }
}

/// So many keys are named.
const MAX_KEYS: usize = 32;

/// An event as it is written, without what the store adds: position and version.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The version of this layout; a reader skips what it does not know.
    #[serde(rename = "e")]
    schema: u8,
    #[serde(rename = "k")]
    kind: EntryKind,
    #[serde(rename = "s", default, skip_serializing_if = "String::is_empty")]
    session: String,
    #[serde(rename = "to", default, skip_serializing_if = "Option::is_none")]
    successor: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    #[serde(rename = "why", default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

const SCHEMA: u8 = 1;

/// The longest text that is looked at: 32 keys of 128 bytes, a user id of 512, each byte six times as long where
/// it is escaped.
#[cfg(feature = "redis")]
const MAX_BYTES: usize = 32 * 1024;

impl Told {
    /// What of the trail's entry everybody may be told.
    pub(crate) fn of(payload: &Payload<'_>) -> Self {
        let names = payload.delta.delta.iter().flat_map(|delta| delta.changes.keys());
        let mut keys: Vec<_> = names.take(MAX_KEYS + 1).map(ToString::to_string).collect();
        let more = keys.len() > MAX_KEYS || payload.cleared;
        keys.truncate(MAX_KEYS);
        let renewed = matches!(payload.kind, EntryKind::Renewed | EntryKind::Reauthenticated);
        Self {
            schema: SCHEMA,
            kind: payload.kind,
            session: payload.reference.map(|reference| reference.to_string()).unwrap_or_default(),
            successor: payload.related.filter(|_| renewed).map(|reference| reference.to_string()),
            user: payload.user.map(str::to_owned),
            keys,
            more,
            reason: payload.reason.map(str::to_owned),
        }
    }

    #[cfg(feature = "redis")]
    pub(crate) fn to_json(&self) -> String {
        // Texts and flags: nothing in here can fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The event, as the store makes it that wrote `payload`.
    pub(crate) fn into_event(
        self,
        position: EventPosition,
        version: Version,
        payload: &Payload<'_>,
    ) -> SessionEvent {
        let successor = self.successor.as_ref().and(payload.related);
        self.at(position, version, payload.reference, successor)
    }

    /// The event, if everything about it makes sense. Whoever may publish may have written it.
    #[cfg(feature = "redis")]
    pub(crate) fn parse(position: EventPosition, version: &str, text: &[u8]) -> Option<SessionEvent> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let told: Self = serde_json::from_slice(text).ok()?;
        let reference = |text: &str| SessionRef::parse(text);
        let session = match &*told.session {
            "" => None,
            text => Some(reference(text)?),
        };
        let successor = match &told.successor {
            None => None,
            Some(text) => Some(reference(text)?),
        };
        (told.schema == SCHEMA && told.keys.len() <= MAX_KEYS).then_some(())?;
        Some(told.at(position, Version::new(number(version)?), session, successor))
    }

    fn at(
        self,
        position: EventPosition,
        version: Version,
        session: Option<SessionRef>,
        successor: Option<SessionRef>,
    ) -> SessionEvent {
        SessionEvent {
            position,
            at: position.at(),
            kind: self.kind,
            session,
            successor,
            version,
            user: self.user,
            keys: self.keys,
            more: self.more,
            reason: self.reason.as_deref().map(EndReason::parse),
        }
    }
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::*;

    fn position() -> EventPosition {
        EventPosition::of_entry(Shard::from_index(7), "1700000000000-3").unwrap()
    }

    #[test]
    fn a_position_comes_back_as_it_went() {
        assert_eq!(position().to_string(), "7-1700000000000-3");
        assert_eq!(position().to_string().parse::<EventPosition>().unwrap(), position());
        assert_eq!(position().entry(), "1700000000000-3");
        for bad in
            ["", "7", "7-1", "x-1-1", "7-1-1-1", "4096-1-1", "7-+1-1", "7- 1-1", "7-1-18446744073709551616"]
        {
            assert!(bad.parse::<EventPosition>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_event() {
        let reference = SessionRef::from_bytes([7; 32]).to_string();
        let good = format!(r#"{{"e":1,"k":"ended","s":"{reference}","u":"alice","why":"logged_out"}}"#);
        let event = Told::parse(position(), "4", good.as_bytes()).unwrap();
        assert_eq!((event.kind, event.version), (EntryKind::Ended, Version::new(4)));
        assert_eq!((event.user.as_deref(), event.reason), (Some("alice"), Some(EndReason::LoggedOut)));
        assert_eq!(event.at.as_millis(), 1_700_000_000_000);

        let many = format!(r#"{{"e":1,"k":"changed","s":"{reference}","keys":{:?}}}"#, vec!["a"; 33]);
        let large = format!(r#"{{"e":1,"k":"changed","s":"{reference}","u":"{}"}}"#, "x".repeat(MAX_BYTES));
        for bad in [
            "",
            "{}",
            "[]",
            "\0",
            &good.replace("\"e\":1", "\"e\":2"),
            &good.replace("ended", "promoted"),
            &good.replace(&reference, "short"),
            &many,
            &large,
        ] {
            assert_eq!(Told::parse(position(), "4", bad.as_bytes()), None, "{bad:.80}");
        }
        for version in ["", "-1", "+1", "x", "1.5"] {
            assert_eq!(Told::parse(position(), version, good.as_bytes()), None, "{version}");
        }
    }
}
