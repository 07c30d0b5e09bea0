//! What a session came to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Event;
use crate::{
    audit::{EntryKind, queue::StreamId},
    clock::Timestamp,
    id::{Address, EventId, SessionRef, Shard},
    record::{Authentication, EndReason, Field, FieldName, History as Recent, Version},
};

/// How many former addresses are remembered: while something lives under one of them, nothing is restored.
const FORMER: usize = 16;

/// A session after some of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct State {
    pub(in crate::audit) at: Address,
    /// Where it lived before its renewals, the last ones.
    pub(in crate::audit) former: Vec<SessionRef>,
    pub(in crate::audit) head: EventId,
    pub(in crate::audit) version: u64,
    pub(in crate::audit) created_at: Timestamp,
    /// The place of its first event in the shard's stream.
    pub(in crate::audit) began: StreamId,
    pub(in crate::audit) deadline: Timestamp,
    /// When the last event happened.
    pub(in crate::audit) last_at: Timestamp,
    pub(in crate::audit) user: Option<String>,
    pub(in crate::audit) authentication: Option<Authentication>,
    pub(in crate::audit) device: Option<String>,
    pub(in crate::audit) fields: BTreeMap<FieldName, Field>,
    /// Keys that it has, and whose values the trail was not told.
    pub(in crate::audit) lost: BTreeSet<FieldName>,
    /// The last events and when they happened, as far as the session's own `recent` has them.
    pub(super) recent: VecDeque<([u8; 8], Timestamp)>,
    pub(in crate::audit) ended: Option<(EndReason, Timestamp)>,
}

impl State {
    /// After the first event; `None` where that is not the beginning of a session.
    pub(super) fn begin(event: &Event, until: Timestamp) -> Option<Self> {
        let what = event.what.as_ref()?;
        if event.version != 1 || !matches!(what.kind, EntryKind::Created | EntryKind::SignedIn) {
            return None;
        }
        let shard = Shard::from_index(event.shard);
        let mut state = Self {
            at: Address { reference: event.reference, shard, class: what.class? },
            former: Vec::new(),
            head: EventId::NONE,
            version: 0,
            created_at: event.at,
            began: event.place,
            deadline: event.at.plus(std::time::Duration::from_millis(what.lifetime?)),
            last_at: event.at,
            user: what.user.clone(),
            authentication: what
                .user
                .as_ref()
                .map(|_| Authentication { at: event.at, method: what.auth_method.clone() }),
            device: what.device.clone(),
            fields: BTreeMap::new(),
            lost: BTreeSet::new(),
            recent: VecDeque::new(),
            ended: None,
        };
        state.apply(event, until);
        Some(state)
    }

    /// Tails of the last events, oldest first: what tells a request that is a moment late where it stands.
    pub(in crate::audit) fn recent(&self) -> impl Iterator<Item = [u8; 8]> {
        self.recent.iter().map(|(tail, _)| *tail)
    }

    /// And when each happened.
    pub(super) fn recent_at(&self) -> impl Iterator<Item = ([u8; 8], Timestamp)> {
        self.recent.iter().copied()
    }

    /// Whether `event` is the one that comes next.
    pub(super) fn is_followed_by(&self, event: &Event) -> bool {
        event.predecessor == self.head && event.version == self.version + 1 && event.what.is_some()
    }

    /// Goes on by one event. Values that were written after `until` are left out; who it is, where it lives
    /// and whether it ended are not: a token that was replaced stays so.
    pub(super) fn apply(&mut self, event: &Event, until: Timestamp) {
        if event.version != self.version + 1 {
            // What stands before the gap is of another place in the history.
            self.recent.clear();
        }
        (self.head, self.version, self.last_at) = (event.id, event.version, event.at);
        self.recent.push_back((event.id.tail(), event.at));
        // One place is left for the event that puts the session back.
        while self.recent.len() >= Recent::BURST
            || self.recent.len() >= Recent::LEN
                && self.recent.front().is_some_and(|(_, at)| event.at.since(*at) > Recent::SPAN)
        {
            self.recent.pop_front();
        }
        let Some(what) = &event.what else { return };
        match what.kind {
            EntryKind::Ended => self.ended = Some((what.reason, event.at)),
            EntryKind::Recovered => self.ended = None,
            EntryKind::Renewed | EntryKind::Reauthenticated => {
                if let Some(to) = what.related {
                    self.former.push(std::mem::replace(&mut self.at.reference, to));
                    if self.former.len() > FORMER {
                        self.former.remove(0);
                    }
                }
                if what.kind == EntryKind::Reauthenticated {
                    self.authentication =
                        Some(Authentication { at: event.at, method: what.auth_method.clone() });
                    let lifetime = what.lifetime.map(std::time::Duration::from_millis);
                    self.deadline = lifetime.map_or(self.deadline, |span| event.at.plus(span));
                }
            }
            // An epoch belongs to no session.
            EntryKind::Created | EntryKind::SignedIn | EntryKind::Changed | EntryKind::Epoch => {}
        }
        if event.at > until {
            return;
        }
        if what.cleared {
            self.fields.clear();
            self.lost.clear();
        }
        let version = Version::new(event.version);
        for (name, value) in &what.set {
            self.lost.remove(name);
            self.fields.insert(name.clone(), Field { version, secret: false, value: value.clone() });
        }
        for name in &what.removed {
            self.lost.remove(name);
            self.fields.remove(name);
        }
        for name in &what.secret {
            self.fields.remove(name);
            self.lost.insert(name.clone());
        }
    }
}
