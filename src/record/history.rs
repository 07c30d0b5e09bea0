//! The last events of a session, by which a repeated commit and a forked history are recognised.

use super::{Base, Version};
use crate::id::EventId;

/// The tails of the last events, newest last: 8 bytes each, 32 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(Vec<[u8; 8]>);

/// How a commit's base relates to the session's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Nothing happened since.
    Current,
    /// Others committed since.
    Behind,
    /// This very event is in the history: its first reply was lost.
    Repeat,
    /// The base was never part of this history: a failover lost it.
    Fork,
    /// Further back than is remembered.
    TooFar,
}

impl History {
    /// How many events are remembered.
    pub const LEN: usize = 32;

    /// Remembers one more.
    pub(crate) fn push(&mut self, event: EventId) {
        if self.0.len() == Self::LEN {
            self.0.remove(0);
        }
        self.0.push(event.tail());
    }

    /// Places `base`, which `event` wants to follow, in the history that ends with `current`.
    pub(crate) fn relate(&self, current: Base, base: Base, event: EventId) -> Relation {
        if current == base {
            return Relation::Current;
        }
        if self.0.contains(&event.tail()) {
            return Relation::Repeat;
        }
        if base.version >= current.version {
            return Relation::Fork;
        }
        let behind = current.version.get() - base.version.get();
        let place = usize::try_from(behind).ok().and_then(|behind| self.0.len().checked_sub(behind + 1));
        match place.and_then(|place| self.0.get(place)) {
            Some(tail) if *tail == base.head.tail() => Relation::Behind,
            Some(_) => Relation::Fork,
            None => Relation::TooFar,
        }
    }

    /// The version at which `event` was committed, for the answer to a repeat.
    pub(crate) fn version_of(&self, current: Version, event: EventId) -> Option<Version> {
        let place = self.0.iter().position(|tail| *tail == event.tail())?;
        let behind = (self.0.len() - 1 - place) as u64;
        Some(Version::new(current.get().saturating_sub(behind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(version: u64, head: EventId) -> Base {
        Base { version: Version::new(version), head }
    }

    #[test]
    fn a_base_is_placed_in_the_history() {
        let events: Vec<_> = (0..40).map(|_| EventId::new()).collect();
        let mut history = History::default();
        events.iter().for_each(|event| history.push(*event));
        let current = base(40, events[39]);
        let fresh = EventId::new();
        let at = |version: u64| base(version, events[version as usize - 1]);
        assert_eq!(history.relate(current, current, fresh), Relation::Current);
        assert_eq!(history.relate(current, at(39), fresh), Relation::Behind);
        assert_eq!(history.relate(current, at(9), fresh), Relation::Behind);
        assert_eq!(history.relate(current, at(8), fresh), Relation::TooFar);
        assert_eq!(history.relate(current, base(39, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, base(40, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, base(41, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, at(38), events[38]), Relation::Repeat);
        assert_eq!(history.version_of(current.version, events[38]), Some(Version::new(39)));
    }
}
