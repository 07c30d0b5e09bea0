//! All events of one session, and what is wrong with them.

use std::collections::{BTreeSet, HashMap};

use super::{Event, Snapshot, SnapshotFaults, State, check::Check};
use crate::{
    audit::EntryKind,
    clock::Timestamp,
    id::{EventId, SessionRef},
    record::EndReason,
};

/// How many events wait before the older half is folded into the state.
const FOLD: usize = 1024;

/// A session's events in the order of their versions. Those long past, where nothing is wrong with them,
/// are kept as the state that they came to, so that a session of a million changes takes no more memory
/// than one of a thousand.
#[derive(Debug)]
pub(in crate::audit) struct History {
    until: Timestamp,
    state: Option<State>,
    rest: Vec<Event>,
    /// Every ref that it had.
    refs: Vec<SessionRef>,
    /// The event that the first of `rest` must follow, and its version, where what is before was not read.
    from: Option<(EventId, u64)>,
    /// That it ran out, as a sweep found it: without a version, which went with the session.
    expired: Option<(EndReason, Timestamp)>,
    /// Snapshots that are held against its rows.
    check: Check,
    /// Whether a row of it is sealed.
    sealed: bool,
    /// How long `rest` gets before folding is tried again.
    fold_at: usize,
}

/// Versions that no row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Hole {
    pub(in crate::audit) from: u64,
    pub(in crate::audit) to: u64,
    /// When the event before them happened.
    pub(in crate::audit) since: Timestamp,
    /// When the event after them happened.
    pub(in crate::audit) until: Timestamp,
}

impl Hole {
    pub(in crate::audit) fn versions(&self) -> (u64, u64) {
        (self.from, self.to)
    }
}

/// What a history came to.
#[derive(Debug)]
pub(in crate::audit) struct Resolved {
    /// The ref of its first row that is there.
    pub(in crate::audit) began_as: Option<SessionRef>,
    /// The session after its last event; `None` where nobody knows how it began.
    pub(in crate::audit) state: Option<State>,
    /// The ends of branches that are not the chosen one.
    pub(in crate::audit) other_branches: Vec<EventId>,
    pub(in crate::audit) gaps: Vec<Hole>,
    /// Rows that this release can't read.
    pub(in crate::audit) unreadable: Vec<EventId>,
    /// Rows whose values were erased.
    pub(in crate::audit) erased: bool,
    /// Snapshots of it that are not as they should be, where these are checked.
    pub(in crate::audit) snapshots: SnapshotFaults,
}

impl History {
    pub(super) fn new(until: Timestamp) -> Self {
        Self {
            until,
            state: None,
            rest: Vec::new(),
            refs: Vec::new(),
            from: None,
            expired: None,
            check: Check::default(),
            sealed: false,
            fold_at: FOLD,
        }
    }

    /// One that goes on from a snapshot, which holds nothing that was written after `until`.
    pub(super) fn since(snapshot: Snapshot, until: Timestamp) -> Self {
        let from = Some((snapshot.state.head, snapshot.state.version));
        Self { state: Some(snapshot.state), refs: snapshot.refs, from, ..Self::new(until) }
    }

    /// And holds these against its rows.
    pub(super) fn checking(self, check: Check) -> Self {
        Self { check, ..self }
    }

    /// Whether what was read follows the snapshot, or nothing was left unread.
    pub(super) fn is_anchored(&self) -> bool {
        // What was folded did follow it.
        let folded = self.state.as_ref().map(|state| state.version);
        let Some((head, version)) = self.from.filter(|(_, from)| folded == Some(*from)) else { return true };
        let next = self.rest.iter().filter(|event| event.version == version + 1);
        let mut next = next.map(|event| event.predecessor == head).peekable();
        self.rest.is_empty() || next.peek().is_some() && next.all(|follows| follows)
    }

    /// Whether a snapshot stood for a part of it.
    pub(super) fn is_since_snapshot(&self) -> bool {
        self.from.is_some()
    }

    /// What it came to as far as each event is the only one of its version and follows the one before, if that is at
    /// least `every` versions more than any snapshot has. `None` where it has ended: nobody brings it back.
    pub(in crate::audit) fn snapshot(mut self, every: u64) -> Option<Snapshot> {
        self.rest.sort_by_key(|event| (event.version, event.at, event.id));
        while !self.rest.is_empty() {
            let before = self.rest.len();
            self.fold_to(before);
            if self.rest.len() == before {
                break;
            }
        }
        let from = self.from.map_or(0, |(_, version)| version);
        let state = self.state.filter(|state| state.ended.is_none() && state.version >= from + every)?;
        if self.expired.is_some() {
            return None;
        }
        Some(Snapshot { root: *self.refs.first()?, refs: self.refs, state })
    }

    pub(super) fn push(&mut self, event: Event) {
        // A renewal tells of a ref that may have no row yet.
        for reference in [event.reference].into_iter().chain(event.successor()) {
            if !self.refs.contains(&reference) {
                self.refs.push(reference);
            }
        }
        self.sealed |= event.sealed;
        self.rest.push(event);
        if self.rest.len() >= self.fold_at {
            self.fold();
            self.fold_at = self.rest.len() + FOLD;
        }
    }

    /// What a sweep found.
    pub(super) fn ran_out(&mut self, reason: EndReason, at: Timestamp) {
        // It can be brought back and run out again: then the last counts.
        if self.expired.is_none_or(|(_, before)| before < at) {
            self.expired = Some((reason, at));
        }
    }

    /// Folds the older half, as far as each event is the only one of its version.
    fn fold(&mut self) {
        self.fold_to(self.rest.len() / 2);
    }

    fn fold_to(&mut self, end: usize) {
        let mut state = self.state.take();
        let done = self.go_on(&mut state, end);
        self.state = state;
        self.rest.drain(..done);
    }

    /// Goes on by the first events of `rest`, `end` at most; tells by how many.
    fn go_on(&mut self, state: &mut Option<State>, end: usize) -> usize {
        let lonely = |at: usize| {
            let version = |at: usize| self.rest.get(at).map(|event| event.version);
            version(at) != version(at + 1)
        };
        let mut done = 0;
        while done < end && lonely(done) {
            // An erased row is kept, to be told.
            let Some(event) = self.rest.get(done).filter(|event| !event.erased) else { break };
            match state {
                None => *state = State::begin(event, self.until),
                Some(state) if state.is_followed_by(event) => state.apply(event, self.until),
                Some(_) => break,
            }
            let Some((state, root)) = state.as_ref().zip(self.refs.first()) else { break };
            self.check.see(state, *root);
            done += 1;
        }
        done
    }

    /// What is wrong with its snapshots. All rows are there, in order.
    fn snapshot_faults(&mut self) -> SnapshotFaults {
        if !self.check.is_done() {
            let mut state = self.state.clone();
            self.go_on(&mut state, self.rest.len());
        }
        let last = self.rest.last().map(|event| event.version);
        let last = last.or(self.state.as_ref().map(|state| state.version)).unwrap_or(0);
        let mut faults = std::mem::take(&mut self.check).finish(&self.refs, last);
        // Who does not seal rows signs no snapshots.
        faults.unsigned.retain(|_| self.sealed);
        faults
    }

    /// What all of it came to.
    pub(in crate::audit) fn resolve(mut self) -> Resolved {
        self.rest.sort_by_key(|event| (event.version, event.at, event.id));
        let snapshots = self.snapshot_faults();
        let unreadable = self.rest.iter().filter(|event| event.what.is_none() && !event.erased);
        let mut resolved = Resolved {
            began_as: self.rest.first().map(|event| event.reference),
            state: None,
            other_branches: Vec::new(),
            gaps: Vec::new(),
            unreadable: unreadable.map(|event| event.id).collect(),
            erased: self.rest.iter().any(|event| event.erased),
            snapshots,
        };
        let mut state = self.state.take();
        let head = state.as_ref().map_or(EventId::NONE, |state| state.head);
        let (path, others) = branch(&self.rest, head);
        resolved.other_branches = others;
        let mut last = state.as_ref().map_or(0, |state| state.version);
        if path.first().is_some_and(|first| first.version <= last) {
            // It leaves the history at a place that was folded: the rest of it is another branch.
            resolved.other_branches.extend(path.last().map(|event| event.id));
        }
        let folded = last;
        for event in path.into_iter().skip_while(|event| event.version <= folded) {
            if event.version > last + 1 {
                let since = state.as_ref().map_or(Timestamp::default(), |state| state.last_at);
                let (from, to) = (last + 1, event.version - 1);
                resolved.gaps.push(Hole { from, to, since, until: event.at });
            }
            last = event.version;
            match &mut state {
                Some(state) => state.apply(event, self.until),
                None => state = State::begin(event, self.until),
            }
        }
        // An end is an end, on whichever branch it was written, unless the session was put back since.
        if let Some(state) = &mut state
            && state.ended.is_none()
        {
            let put_back = self.rest.iter().filter(|event| event.is(EntryKind::Recovered));
            let put_back = put_back.map(|event| event.at).max().unwrap_or_default();
            let end = self.rest.iter().find(|event| event.is(EntryKind::Ended) && event.at > put_back);
            let end = end.and_then(|end| Some((end.what.as_ref()?.reason, end.at)));
            state.ended = end.or(self.expired.filter(|(_, at)| *at > put_back));
        }
        resolved.state = state;
        resolved
    }
}

/// The events from the beginning to the end of the branch that was written last, and the ends of the
/// others. Where an event's predecessor is missing, the branch goes on with what stands before the gap.
///
/// One event can stand in two branches: a change whose reply was lost with one primary is made again on the next one.
/// Its version tells the places apart, and where that is the same, history goes on from the later one.
fn branch(rest: &[Event], head: EventId) -> (Vec<&Event>, Vec<EventId>) {
    let places: HashMap<(EventId, u64), usize> =
        rest.iter().enumerate().map(|(place, event)| ((event.id, event.version), place)).collect();
    let before = |event: &Event| (event.predecessor, event.version.saturating_sub(1));
    let followed: BTreeSet<_> = rest.iter().map(before).collect();
    let tips = rest.iter().enumerate().filter(|(_, event)| !followed.contains(&(event.id, event.version)));
    let Some((tip, _)) = tips.max_by_key(|(_, event)| (event.at, event.version)) else {
        return (Vec::new(), Vec::new());
    };
    let mut path = Vec::new();
    let mut taken = BTreeSet::new();
    let mut next = Some(tip);
    while let Some(place) = next {
        let Some(event) = rest.get(place).filter(|_| taken.insert(place)) else { break };
        path.push(event);
        next = match places.get(&before(event)) {
            _ if event.version <= 1 || event.predecessor == head => None,
            Some(place) if *place < rest.len() => Some(*place),
            // A gap: `rest` is sorted by version.
            _ => rest.partition_point(|before| before.version < event.version).checked_sub(1),
        };
    }
    path.reverse();
    let same = |one: &Event, other: &Event| (one.id, before(one)) == (other.id, before(other));
    let ends = |place: usize, event: &Event| {
        // Of an event that is told twice at one place, one is enough.
        let twin = places.get(&(event.id, event.version)).and_then(|place| rest.get(*place));
        let twin = twin.filter(|twin| !std::ptr::eq(*twin, event));
        let last = !followed.contains(&(event.id, event.version));
        !taken.contains(&place) && twin.map_or(last, |twin| !same(twin, event))
    };
    let others = rest.iter().enumerate().filter(|(place, event)| ends(*place, event));
    let others = others.map(|(_, event)| event.id).collect();
    (path, others)
}
