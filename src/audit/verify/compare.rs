//! One session: what the trail tells against what Redis has. Nothing is asked here.

use std::{collections::BTreeSet, time::Duration};

use super::{Discrepancy, pending::Suspect};
use crate::{
    audit::trail::{Resolved, State},
    clock::Timestamp,
    id::SessionRef,
    record::FieldName,
    store::redis::{Alive, Seen},
};

/// What is known of a session after the first look.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) problems: Vec<Discrepancy>,
    /// What is wrong only if it does not wait in the queue.
    pub(super) suspect: Option<Suspect>,
}

/// Between the script's clock and the moment from which Redis counts a time to live.
const SLACK: Duration = Duration::from_millis(10);

/// Redis was asked after the trail, and `now` was asked after that.
pub(super) fn compare(
    resolved: &Resolved,
    state: &State,
    seen: &Seen,
    now: Timestamp,
    idle: Duration,
) -> Compared {
    let mut problems = Vec::new();
    let mut forked = resolved.other_branches.clone();
    if !resolved.unreadable.is_empty() {
        problems.push(Discrepancy::Unreadable(resolved.unreadable.clone()));
    }
    let refs: Vec<SessionRef> = state.former.iter().copied().chain([state.at.reference]).collect();
    let mut suspect = Suspect {
        session: state.at.reference,
        refs,
        shard: state.at.shard,
        gaps: resolved.gaps.clone(),
        trail: state.version,
        last_at: state.last_at,
        beyond: None,
    };
    match seen {
        Seen::Alive(_) if state.ended.is_some() => problems.push(Discrepancy::AliveThoughEnded),
        Seen::Alive(alive) => {
            let (redis, head) = (alive.record.base.version.get(), alive.record.base.head);
            if redis < state.version {
                problems.push(Discrepancy::Ahead { trail: state.version, redis: Some(redis) });
            } else if head == state.head {
                if !resolved.erased && resolved.unreadable.is_empty() && resolved.gaps.is_empty() {
                    problems.extend(differences(state, alive));
                }
            } else {
                if !went_on(alive, state) {
                    forked.push(state.head);
                }
                // A branch that is in the trail, though not the one that was written last, lacks nothing.
                if !resolved.other_branches.contains(&head) {
                    suspect.refs.push(alive.record.address.reference);
                    suspect.beyond = Some((head, Some(redis)));
                }
            }
        }
        Seen::Ended { by } if state.ended.is_none() => {
            suspect.beyond = by.map(|by| (by, None));
        }
        Seen::Nothing if state.ended.is_none() => {
            let may_be_over = now.plus(SLACK) >= state.deadline.min(state.last_at.plus(idle));
            if !may_be_over {
                problems.push(Discrepancy::Ahead { trail: state.version, redis: None });
            }
        }
        Seen::Ended { .. } | Seen::Nothing => {}
    }
    if !forked.is_empty() {
        problems.push(Discrepancy::Forked(forked));
    }
    let is_suspect = suspect.beyond.is_some() || !suspect.gaps.is_empty();
    Compared { problems, suspect: is_suspect.then_some(suspect) }
}

/// Whether the trail's last event stands at its place in Redis' history.
fn went_on(alive: &Alive, state: &State) -> bool {
    let tails = alive.recent.as_chunks::<8>().0;
    let since = alive.record.base.version.get().saturating_sub(state.version);
    let place = usize::try_from(since).ok().and_then(|since| tails.len().checked_sub(since + 1));
    // Longer ago than Redis remembers: nobody knows.
    place.and_then(|place| tails.get(place)).is_none_or(|tail| *tail == state.head.tail())
}

fn differences(state: &State, alive: &Alive) -> Vec<Discrepancy> {
    let mut found = Vec::new();
    if alive.record.user != state.user {
        found.push(Discrepancy::OtherUser);
    }
    let fields = alive.record.fields.to_map();
    let names: BTreeSet<&FieldName> = fields.keys().chain(state.fields.keys()).collect();
    let differs = |name: &&&FieldName| match (fields.get(**name), state.fields.get(**name)) {
        // The trail knows only that there is one.
        (Some(redis), None) if redis.secret => !state.lost.contains(**name),
        (Some(redis), Some(trail)) => redis.version != trail.version || redis.value != trail.value,
        _ => true,
    };
    let names: Vec<FieldName> = names.iter().filter(differs).map(|name| (*name).clone()).collect();
    if !names.is_empty() {
        found.push(Discrepancy::Differs(names));
    }
    found
}
