//! One event of a session's history.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    clock::Timestamp,
    id::{EventId, SessionRef},
};

/// One change, as PostgreSQL tells it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryEvent {
    /// Its name.
    pub event: EventId,
    /// The one that it follows.
    pub predecessor: Option<EventId>,
    /// When, by Redis' clock.
    pub at: Timestamp,
    /// The ref that the session had.
    pub reference: Option<SessionRef>,
    /// The version that it made.
    pub version: Option<u64>,
    /// `created`, `changed` … see [`EntryKind`](crate::audit::EntryKind).
    pub kind: String,
    /// Why the session ended.
    pub reason: Option<String>,
    /// Who was signed in.
    pub user: Option<String>,
    /// How they had signed in.
    pub auth_method: Option<String>,
    /// The device, where the session began.
    pub device: Option<String>,
    /// The session before (a sign-in) or the new ref (a renewal).
    pub related: Option<SessionRef>,
    /// The request's method.
    pub method: Option<String>,
    /// The request's path.
    pub route: Option<String>,
    /// The client's address.
    pub client_ip: Option<String>,
    /// The request's trace.
    pub trace_id: Option<String>,
    /// Every key was removed first.
    pub cleared: bool,
    /// What was written, as JSON text.
    pub set: BTreeMap<String, String>,
    /// What was removed.
    pub removed: Vec<String>,
    /// What was written and is not told.
    pub secret: Vec<String>,
    /// Whether all that was changed is told here. If not, the row holds a payload that this release can't read.
    pub complete: bool,
    /// Whether it belongs to a history that was abandoned: after a failover of Redis that lost the last
    /// changes, others may have been made from an older version.
    pub forked: bool,
}

/// Marks what does not lead to the last event. Events are in the order of their versions.
pub(super) fn mark_forks(events: &mut [HistoryEvent]) {
    let by_id: HashMap<EventId, (Option<EventId>, Option<u64>)> =
        events.iter().map(|event| (event.event, (event.predecessor, event.version))).collect();
    let mut live = HashSet::new();
    let mut next = events.last().map(|event| event.event);
    let mut lowest = None;
    while let Some(id) = next {
        let Some((predecessor, version)) = by_id.get(&id).filter(|_| live.insert(id)) else { break };
        lowest = *version;
        next = *predecessor;
    }
    for event in events {
        // Below a gap nothing is known of what led where: that is no proof of a fork.
        event.forked = !live.contains(&event.event) && lowest.is_some() && event.version >= lowest;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::audit::history) fn event(version: u64, predecessor: Option<EventId>) -> HistoryEvent {
        HistoryEvent {
            event: EventId::new(),
            predecessor,
            at: Timestamp::from_millis(version * 1000),
            reference: None,
            version: Some(version),
            kind: "changed".into(),
            reason: None,
            user: None,
            auth_method: None,
            device: None,
            related: None,
            method: None,
            route: None,
            client_ip: None,
            trace_id: None,
            cleared: false,
            set: BTreeMap::new(),
            removed: Vec::new(),
            secret: Vec::new(),
            complete: true,
            forked: false,
        }
    }

    #[test]
    fn what_does_not_lead_to_the_end_is_a_fork_and_what_is_before_a_gap_is_none() {
        let first = event(1, None);
        let (left, right) = (event(2, Some(first.event)), event(2, Some(first.event)));
        let last = event(3, Some(right.event));
        let mut events = [first, left, right, last];
        mark_forks(&mut events);
        assert_eq!(events.each_ref().map(|event| event.forked), [false, true, false, false]);

        let mut events = [event(1, None), event(5, Some(EventId::new()))];
        mark_forks(&mut events);
        assert_eq!(events.each_ref().map(|event| event.forked), [false, false]);
    }
}
