//! How far into a shard's log a reader is, where messages bring events before the log is read.

use std::collections::BTreeSet;

use super::EventPosition;

/// What was read from the log, and what messages have told beyond.
///
/// A message is believed as an event and never as a position: it may be forged, and one that claims to be from
/// next year must not hide this year's. Only the log moves the cursor.
#[derive(Debug)]
pub(crate) struct Cursor {
    read: EventPosition,
    told: BTreeSet<EventPosition>,
}

/// What an entry of the log is to somebody who has heard messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Told by a message.
    Known,
    /// Not told yet.
    New,
    /// Not told yet, and something younger was.
    Late,
}

impl Cursor {
    /// How many events messages may have told before the log must be read.
    pub(crate) const MAX_TOLD: usize = 4096;

    pub(crate) const fn new(read: EventPosition) -> Self {
        Self { read, told: BTreeSet::new() }
    }

    pub(crate) const fn read(&self) -> EventPosition {
        self.read
    }

    /// A message came. Whether it tells something new.
    pub(crate) fn hear(&mut self, position: EventPosition) -> bool {
        position > self.read && self.told.insert(position)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= Self::MAX_TOLD
    }

    /// The log has this entry behind the one that was read before.
    pub(crate) fn advance(&mut self, position: EventPosition) -> News {
        self.read = position;
        let known = self.told.remove(&position);
        // What stands before it in the set is in no log: forged, or of a server that has lost it.
        self.told = self.told.split_off(&position);
        match known {
            true => News::Known,
            false if self.told.is_empty() => News::New,
            false => News::Late,
        }
    }

    /// The log has nothing more. Whether messages have told what is in no log: forged, or of a server that has
    /// lost it.
    pub(crate) fn end(&mut self) -> bool {
        !std::mem::take(&mut self.told).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Shard;

    fn at(sequence: u64) -> EventPosition {
        EventPosition::new(Shard::from_index(0), 1, sequence)
    }

    #[test]
    fn each_event_is_told_once_whoever_tells_it() {
        let mut cursor = Cursor::new(at(1));
        assert!(!cursor.hear(at(1)), "before the subscription");
        assert!(cursor.hear(at(2)));
        assert!(!cursor.hear(at(2)), "replayed");
        assert_eq!(cursor.advance(at(2)), News::Known);
        assert_eq!(cursor.advance(at(3)), News::New);
        assert!(!cursor.hear(at(3)), "its message was slower than the log");
    }

    #[test]
    fn a_lost_message_is_late_if_a_younger_one_came() {
        let mut cursor = Cursor::new(at(1));
        assert!(cursor.hear(at(3)));
        assert_eq!(cursor.advance(at(2)), News::Late);
        assert_eq!(cursor.advance(at(3)), News::Known);
    }

    #[test]
    fn a_forged_position_hides_nothing() {
        let mut cursor = Cursor::new(at(1));
        assert!(cursor.hear(EventPosition::new(Shard::from_index(0), u64::MAX, 0)));
        assert!(cursor.hear(at(2)));
        assert_eq!(cursor.advance(at(2)), News::Known);
        assert!(cursor.end());
        assert!(!cursor.end());
        assert!(cursor.hear(at(3)));
        assert_eq!(cursor.advance(at(3)), News::Known);
    }
}
