//! One session.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Options, ProblemKind,
    epochs::{Epochs, Verdict},
};
use crate::{
    audit::{
        DeltaView, EntryKind, Payload, RequestContext,
        trail::{Hole, Resolved, State},
    },
    error::Result,
    id::{EventId, IdleClass, SessionRef},
    record::{Change, Delta, EndReason, Version, Write},
    store::{
        RedisStore,
        redis::{Restore, Restored, Tombstone},
    },
};

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) session: SessionRef,
    pub(super) outcome: Outcome,
    pub(super) problems: Vec<ProblemKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Restored,
    Present,
    Ended,
    Expired,
    Later,
    LeftOut,
}

/// Puts one session back, if it is to be.
pub(super) async fn put_back(
    store: RedisStore,
    options: Arc<Options>,
    epochs: Arc<Epochs>,
    resolved: Resolved,
    mut state: State,
) -> Result<Done> {
    let mut problems = Vec::new();
    let mut sound = true;
    if !resolved.other_branches.is_empty() {
        problems.push(ProblemKind::Forked(resolved.other_branches));
    }
    if !resolved.gaps.is_empty() {
        sound &= options.over_gaps;
        problems.push(ProblemKind::Gapped(resolved.gaps.iter().map(Hole::versions).collect()));
    }
    if !resolved.unreadable.is_empty() {
        sound &= options.over_gaps;
        problems.push(ProblemKind::Unreadable(resolved.unreadable));
    }
    if resolved.erased {
        sound = false;
        problems.push(ProblemKind::Erased);
    }
    let mut epoch = None;
    match epochs.judge(&state) {
        Verdict::Valid(number) => epoch = Some(number),
        Verdict::Void(at) => {
            state.ended.get_or_insert((EndReason::Epoch, at));
        }
        Verdict::Unknown if state.ended.is_none() => {
            sound &= options.over_gaps;
            problems.push(ProblemKind::EpochUntold);
        }
        Verdict::Unknown => {}
    }
    let outcome = if let Some((reason, ended_at)) = state.ended {
        // Also where something is missing before: that it ended is known.
        let tombstone =
            Tombstone { at: state.at, event: state.head, reason, ended_at, remember: options.remember };
        if store.entomb(&tombstone, options.dry).await? == Restored::Alive {
            problems.push(ProblemKind::AliveThoughEnded);
        }
        Outcome::Ended
    } else if !sound {
        Outcome::LeftOut
    } else if state.created_at > options.until {
        Outcome::Later
    } else if options.drop_active_since.is_some_and(|since| state.last_at >= since) {
        problems.push(ProblemKind::ActiveSince);
        Outcome::LeftOut
    } else {
        let whole = problems
            .iter()
            .any(|problem| matches!(problem, ProblemKind::Gapped(_) | ProblemKind::Unreadable(_)));
        let outcome = restore(&store, &options, &state, epoch, whole).await?;
        if outcome == Outcome::Restored && !state.lost.is_empty() {
            problems.push(ProblemKind::SecretsLost(state.lost.iter().cloned().collect()));
        }
        outcome
    };
    Ok(Done { session: state.at.reference, outcome, problems })
}

async fn restore(
    store: &RedisStore,
    options: &Options,
    state: &State,
    epoch: Option<u64>,
    whole: bool,
) -> Result<Outcome> {
    let event = EventId::new();
    let version = Version::new(state.version).next();
    let change = |write| Change { write, watched: None, secret: false };
    // What comes back is what the trail tells last, unless it goes back in time or over a gap: then all of
    // it is told anew.
    let whole = whole || state.last_at > options.until;
    let removed = state.lost.iter().map(|name| (name.clone(), change(Write::Remove)));
    let told = state.fields.iter().filter(|_| whole);
    let told = told.map(|(name, field)| (name.clone(), change(Write::Set(field.value.clone()))));
    let delta = Delta { clear: whole, changes: removed.chain(told).collect::<BTreeMap<_, _>>() };
    let context = RequestContext::default();
    let payload = Payload {
        kind: EntryKind::Recovered,
        user: state.user.as_deref(),
        cleared: whole,
        delta: DeltaView::of(Some(&delta)),
        ..Payload::blank(event, state.at.reference, &context)
    };
    let mut fields = state.fields.clone();
    if whole {
        // They change by this very event, for a request that loaded other values before the loss.
        fields.values_mut().for_each(|field| field.version = version);
    }
    let recent = state.recent().chain([event.tail()]).flatten().collect();
    let restore = Restore {
        at: state.at,
        former: &state.former,
        event,
        predecessor: state.head,
        version,
        recent,
        created_at: state.created_at,
        deadline: state.deadline,
        user: state.user.as_deref(),
        authentication: state.authentication.as_ref(),
        device: state.device.as_deref(),
        last_at: state.last_at,
        epoch,
        fields: &fields,
        idle: if state.at.class == IdleClass::REMEMBERED { options.remembered_idle } else { options.idle },
        idle_since: options.from_last_write.then_some(state.last_at),
        payload,
    };
    Ok(match store.restore(&restore, options.dry).await? {
        Restored::Back => Outcome::Restored,
        Restored::Alive => Outcome::Present,
        Restored::Ended => Outcome::Ended,
        Restored::Late => Outcome::Expired,
    })
}
