//! The last events of a session, as the fields `h` and `older` remember them. `scripts/recent.lua` has the same rules.

use std::io::Write as _;

use super::codec::number;
use crate::{
    clock::{Timestamp, millis},
    id::EventId,
    record::{Base, History, Version},
};

/// The second half of an event's id, which is what is remembered.
const TAIL: usize = 8;

/// How many the field `h` holds, its last one included.
const NEWER: usize = 16;

/// How many `older` holds at least, if so many there were, and at most.
const OLDER: usize = 32;
const MOST: usize = 256;

/// The field `h`.
pub(super) struct Heads<'a> {
    pub(super) base: Base,
    /// Tails of the last events, this one's included, the youngest first.
    pub(super) recent: &'a [u8],
}

impl<'a> Heads<'a> {
    pub(super) fn parse(field: &'a [u8]) -> Option<Self> {
        let (version, rest) = numbered(field, b"h")?;
        let head = EventId::from_bytes(*rest.first_chunk::<16>()?);
        let base = Base { version: Version::new(version), head };
        Some(Self { base, recent: rest.get(TAIL..)? })
    }

    /// The field, of a session with these last events: their tails, the oldest first and this one's included.
    #[cfg(feature = "audit")]
    pub(super) fn field(base: Base, recent: &[u8]) -> Vec<u8> {
        let mut field = lead(base, recent.len());
        field.extend(recent.as_chunks::<TAIL>().0.iter().rev().skip(1).flatten());
        field
    }
}

/// The field `h` of a session that remembers no event but its last, with room for so many bytes more.
pub(super) fn lead(base: Base, room: usize) -> Vec<u8> {
    let mut field = Vec::with_capacity(1 + 16 + 1 + 16 + room);
    // Into memory: it takes everything.
    let _ = write!(field, "h{} ", base.version);
    field.extend_from_slice(base.head.as_bytes());
    field
}

/// The field `older`.
#[derive(Default)]
pub(super) struct Older<'a> {
    /// When it was last added to.
    pub(super) added_at: Timestamp,
    /// Tails of events, the youngest first.
    pub(super) tails: &'a [u8],
}

impl<'a> Older<'a> {
    pub(super) fn parse(field: &'a [u8]) -> Option<Self> {
        let (at, tails) = numbered(field, b"~")?;
        Some(Self { added_at: Timestamp::from_millis(at), tails })
    }

    pub(super) fn field(&self) -> Vec<u8> {
        let mut field = format!("~{} ", self.added_at.as_millis()).into_bytes();
        field.extend_from_slice(self.tails);
        field
    }
}

/// The number that follows on the mark of a field, up to a space, and what stands behind that.
fn numbered<'a>(field: &'a [u8], mark: &[u8]) -> Option<(u64, &'a [u8])> {
    let text = field.strip_prefix(mark)?;
    let space = text.iter().position(|byte| *byte == b' ')?;
    Some((number(text.get(..space)?)?, text.get(space + 1..)?))
}

/// What a commit makes of these.
pub(super) struct Followed {
    /// The field `h`.
    pub(super) heads: Vec<u8>,
    /// What the field `older` holds then behind the time, where it becomes another.
    pub(super) older: Option<Vec<u8>>,
}

/// What is remembered when the event of `next` has followed on these. It is `now` by Redis' clock, or later: then some
/// are kept for longer than they need be.
pub(super) fn followed(recent: &[u8], older: &Older<'_>, next: Base, now: Timestamp) -> Followed {
    if recent.len() < NEWER * TAIL {
        let mut heads = lead(next, recent.len());
        heads.extend_from_slice(recent);
        return Followed { heads, older: None };
    }
    let kept = match millis(now.since(older.added_at)) > millis(History::SPAN) {
        // All of these are older than that.
        true => OLDER,
        false => MOST,
    };
    let mut all = [recent, older.tails.get(..kept * TAIL).unwrap_or(older.tails)].concat();
    all.truncate(MOST * TAIL);
    Followed { heads: lead(next, 0), older: Some(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: usize) -> Vec<u8> {
        (0..count).flat_map(|nth| (nth as u64).to_be_bytes()).collect()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn base() -> Base {
        Base { version: Version::new(34), head: EventId::new() }
    }

    #[test]
    fn what_is_written_is_read() {
        let base = base();
        let field = [lead(base, 0), events(3)].concat();
        let heads = Heads::parse(&field).unwrap();
        assert_eq!(heads.base, base);
        assert_eq!(heads.recent, [&base.head.as_bytes()[8..], &events(3)].concat());
        let field = [b"~1795478349478 ".as_slice(), &events(40)].concat();
        let older = Older::parse(&field).unwrap();
        assert_eq!((older.added_at.as_millis(), older.tails), (1_795_478_349_478, &*events(40)));
        assert_eq!(older.field(), field);
        for damaged in
            [b"".as_slice(), b"h", b"h1", b"h1 short", b"x1 0123456789abcdef", b"h 0123456789abcdef"]
        {
            assert!(Heads::parse(damaged).is_none() && Older::parse(damaged).is_none(), "{damaged:?}");
        }
    }

    #[test]
    fn events_go_from_one_field_to_the_other() {
        let none = Older::default();
        for count in 1..16 {
            let followed = followed(&events(count), &none, base(), at(20));
            assert_eq!(Heads::parse(&followed.heads).unwrap().recent.len(), (count + 1) * TAIL);
            assert!(followed.older.is_none());
        }
        let full = followed(&events(16), &none, base(), at(20));
        assert_eq!(Heads::parse(&full.heads).unwrap().recent.len(), TAIL);
        assert_eq!(full.older.unwrap(), events(16));
    }

    #[test]
    fn those_of_before_are_kept_for_ten_seconds_or_as_the_last() {
        let tails = events(300);
        let kept = |count: usize, now| {
            let older = Older { added_at: at(100), tails: &tails[..count * TAIL] };
            followed(&events(16), &older, base(), now).older.unwrap().len() / TAIL
        };
        assert_eq!([kept(20, at(110)), kept(200, at(110)), kept(256, at(110))], [36, 216, 256]);
        let later = Timestamp::from_millis(110_001);
        assert_eq!([kept(20, later), kept(200, later), kept(256, later)], [36, 48, 48]);
        assert_eq!(kept(200, at(50)), 216, "a clock that was put back");
    }
}
