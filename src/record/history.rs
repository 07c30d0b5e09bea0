//! The last events of a session, by which a repeated commit and a forked history are recognised.

use std::time::Duration;

use super::{Base, Version};
use crate::{clock::Timestamp, id::EventId};

/// The tails of the last events, newest last: 8 bytes each. The last 32 whatever their age, and those of
/// the last ten seconds up to 256, so that a burst of commits does not make a request that is a moment
/// late unrecognisable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    tails: Vec<[u8; 8]>,
    /// When it was last cut, and how many events it had then: these are older than that.
    mark: Option<(Timestamp, usize)>,
}

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
    /// How many events are remembered at least.
    pub const LEN: usize = 32;
    /// How many are remembered at most.
    pub const BURST: usize = 256;
    /// How long an event is remembered at least, as far as `BURST` allows.
    pub const SPAN: Duration = Duration::from_secs(10);

    /// Remembers one more.
    pub(crate) fn push(&mut self, event: EventId, now: Timestamp) {
        self.tails.push(event.tail());
        let len = self.tails.len();
        if len <= Self::LEN {
            return;
        }
        self.mark = match self.mark {
            None => Some((now, len)),
            Some((at, old)) if now.since(at) > Self::SPAN => {
                let drop = old.min(len - Self::LEN);
                self.tails.drain(..drop);
                Some((now, len - drop))
            }
            Some((at, old)) if len > Self::BURST => {
                self.tails.remove(0);
                Some((at, old.saturating_sub(1)))
            }
            mark => mark,
        };
    }

    /// Places `base`, which `event` wants to follow, in the history that ends with `current`.
    pub(crate) fn relate(&self, current: Base, base: Base, event: EventId) -> Relation {
        if current == base {
            return Relation::Current;
        }
        if self.tails.contains(&event.tail()) {
            return Relation::Repeat;
        }
        if base.version >= current.version {
            return Relation::Fork;
        }
        let behind = current.version.get() - base.version.get();
        let place = usize::try_from(behind).ok().and_then(|behind| self.tails.len().checked_sub(behind + 1));
        match place.and_then(|place| self.tails.get(place)) {
            Some(tail) if *tail == base.head.tail() => Relation::Behind,
            Some(_) => Relation::Fork,
            None => Relation::TooFar,
        }
    }

    /// Whether every event of the last [`SPAN`](Self::SPAN) is in it.
    pub(crate) fn is_complete(&self) -> bool {
        self.tails.len() < Self::BURST
    }

    /// The version at which `event` was committed, for the answer to a repeat.
    pub(crate) fn version_of(&self, current: Version, event: EventId) -> Option<Version> {
        let place = self.tails.iter().position(|tail| *tail == event.tail())?;
        let behind = (self.tails.len() - 1 - place) as u64;
        Some(Version::new(current.get().saturating_sub(behind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(version: u64, head: EventId) -> Base {
        Base { version: Version::new(version), head }
    }

    /// `count` commits, one each `millis`.
    fn commits(count: usize, millis: u64) -> (Vec<EventId>, History) {
        let events: Vec<_> = (0..count).map(|_| EventId::new()).collect();
        let mut history = History::default();
        for (n, event) in events.iter().enumerate() {
            history.push(*event, Timestamp::from_millis(n as u64 * millis));
        }
        (events, history)
    }

    #[test]
    fn a_base_is_placed_in_the_history() {
        // One a second: of the last 32 each is remembered, and some more.
        let (events, history) = commits(80, 1000);
        let current = base(80, events[79]);
        let fresh = EventId::new();
        let at = |version: u64| base(version, events[version as usize - 1]);
        assert_eq!(history.relate(current, current, fresh), Relation::Current);
        for version in 49..80 {
            assert_eq!(history.relate(current, at(version), fresh), Relation::Behind);
        }
        assert_eq!(history.relate(current, at(30), fresh), Relation::TooFar);
        assert_eq!(history.relate(current, base(79, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, base(80, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, base(81, EventId::new()), fresh), Relation::Fork);
        assert_eq!(history.relate(current, at(78), events[78]), Relation::Repeat);
        assert_eq!(history.version_of(current.version, events[78]), Some(Version::new(79)));
    }

    #[test]
    fn a_burst_is_remembered_up_to_a_bound() {
        let (events, history) = commits(250, 1);
        assert!(events.iter().all(|event| history.tails.contains(&event.tail())));
        assert_eq!(commits(2000, 1).1.tails.len(), History::BURST);
        let (_, mut history) = commits(250, 1);
        for minute in 1..4 {
            history.push(EventId::new(), Timestamp::from_millis(minute * 60_000));
        }
        assert_eq!(history.tails.len(), History::LEN, "and forgotten when it is over");
    }
}
