//! Carrying out what a request wants of its session.
//!
//! Each conversation with the store is a [`Job`] with event ids of its own, kept in the state until it
//! is answered: a caller that was dropped or timed out in the middle can ask again, and what happened
//! already does not happen twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Session,
    begin::{create, created, listing, login},
    carry::first_values,
    replicated,
    state::{CookieAction, Intent, Pending, dress},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{Address, EventId, IdleClass, Token},
    record::{Delta, EndReason, Ended, FieldName, History, Record},
    store::{Anew, Commit, Committed, Create, End, Finished, Generation, Policy, Renewal, SignIn},
};

/// What a commit came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    Conflict(Vec<FieldName>),
    Gone(Ended),
    /// A sign-in of a user who has as many sessions as there may be.
    Rejected,
}

/// One thing to ask of the store.
pub(super) enum Job {
    Create {
        create: Create,
        token: Token,
    },
    Commit {
        commit: Commit,
        token: Option<Token>,
    },
    /// With the generation of the user's sessions under which it began, once that is known.
    Login {
        end: Option<End>,
        create: Create,
        token: Token,
        began: OnceLock<Generation>,
    },
    End(End),
}

/// How a job went on.
pub(super) enum Step {
    /// It is stored.
    Settled,
    /// Others were faster; the state is made new and can be tried again.
    Again(Vec<FieldName>),
    /// The session lives elsewhere now; the state says where.
    Moved,
    Over(Outcome),
}

/// As long as the store remembers every event, with a second to spare.
const SURELY: Duration = History::SPAN.saturating_sub(Duration::from_secs(1));

/// How often a job may start again for a reason that can't recur for ever: a move, a token in use.
pub(super) const MAX_MOVES: usize = 8;

/// Commits what `session` holds. Answers when the store has.
pub(crate) async fn commit(session: &Session) -> Result<Outcome> {
    let _turn = session.inner.gate.lock().await;
    let settings = &session.inner.engine.settings;
    let deadline = Instant::now() + settings.replay;
    let (mut moves, mut tries) = (0, 0);
    loop {
        // What is rare is kept out of the future that every commit makes, here and below.
        if !session.state().unconfirmed.is_empty() {
            Box::pin(replicated::wait(session)).await?;
        }
        let stale = session.state().stale_writes(settings.policy);
        if !stale.is_empty() {
            return Ok(Outcome::Conflict(stale));
        }
        if let Some(gone) = gone_apart(session) {
            return Ok(gone);
        }
        let Some(pending) = next(session)? else { return Ok(Outcome::Done) };
        match run(session, pending).await? {
            Step::Settled => {}
            Step::Over(outcome) => return Ok(outcome),
            Step::Moved if moves < MAX_MOVES => moves += 1,
            Step::Moved => {
                return Err(Error::msg(ErrorKind::Unavailable, "the session was renewed too often"));
            }
            Step::Again(keys) if Instant::now() >= deadline => return Ok(Outcome::Conflict(keys)),
            Step::Again(_) => {
                tokio::time::sleep(jitter(tries)).await;
                tries += 1;
            }
        }
    }
}

/// What a detached handle is told whose session ended: it begins no other one, whose cookie no response
/// is left to carry.
fn gone_apart(session: &Session) -> Option<Outcome> {
    let mut state = session.state();
    let begins = state.record.is_none() && state.ending.is_none() && state.wants_commit(true);
    if !(session.inner.detached && begins && state.pending.is_none()) {
        return None;
    }
    let ended = state.ended.clone()?;
    state.gone(ended.clone());
    Some(Outcome::Gone(ended))
}

/// The job in hand, or the next one that the state asks for.
fn next(session: &Session) -> Result<Option<Arc<Pending>>> {
    let engine = &session.inner.engine;
    let mut state = session.state();
    if let Some(pending) = &state.pending {
        return Ok(Some(Arc::clone(pending)));
    }
    if !state.wants_commit(true) {
        return Ok(None);
    }
    // What is wanted beyond an end follows in a job of its own, when there is no session any more.
    let ending = state.ending;
    let (intent, delta) = match ending {
        Some(_) => (None, Delta::default()),
        None => (state.intent.clone(), state.delta.clone()),
    };
    let job = match (ending, &intent, &state.record) {
        (Some(reason), _, Some(record)) => Job::End(end(session, record, reason)),
        (Some(_), _, None) => {
            // There is nobody to sign out; the client may still hold a cookie of the past.
            state.ending = None;
            state.cookie = CookieAction::Remove;
            drop(state);
            return next(session);
        }
        (None, Some(Intent::Login(login)), record) => {
            let token = engine.token_for(Some(&login.user), login.class())?;
            let end = record.as_deref().map(|record| end(session, record, EndReason::Replaced));
            let mut create = create(session, &token, Delta::default(), Some(login));
            if let Some(sign_in) = &mut create.sign_in {
                sign_in.listing = Some(listing(session, login, record.as_deref())?);
            }
            Job::Login { end, create, token, began: OnceLock::new() }
        }
        (None, Some(Intent::Renew | Intent::Reauthenticate(_)) | None, Some(record)) => {
            let (at, base, user) = (record.address, record.base, record.user.clone());
            let image = record.image.clone();
            let token = match intent {
                Some(_) => Some(engine.token_on(at.shard, at.class)?),
                None => None,
            };
            let settings = &engine.settings;
            let anew = match (&intent, &user) {
                (Some(Intent::Reauthenticate(method)), Some(user)) => {
                    let sign_in = SignIn { user: user.clone(), method: method.clone(), listing: None };
                    Some(Anew { sign_in, absolute: settings.absolute(at.class) })
                }
                _ => None,
            };
            let renewal = token.as_ref().map(|token| Renewal {
                to: token.address(),
                grace: settings.grace,
                remember: settings.remember,
                anew,
            });
            let (delta, policy) = state.guarded(settings.policy);
            let commit = Commit {
                at,
                event: EventId::new(),
                base,
                image,
                delta,
                policy,
                idle: engine.settings.idle(at.class),
                touch: session.inner.touch,
                renewal,
                user,
                context: Arc::clone(&session.inner.context),
            };
            Job::Commit { commit, token }
        }
        // The token would be nobody's.
        (None, _, None) if session.inner.detached => {
            return Err(Error::msg(
                ErrorKind::AfterCommit,
                "a detached handle begins no session, since no response is left to carry its token: \
                 write something in the handler, on the request's own session, before detaching",
            ));
        }
        (None, Some(Intent::Renew | Intent::Reauthenticate(_)) | None, None) => {
            let token = engine.token_for(None, IdleClass::default())?;
            let create = create(session, &token, first_values(&delta)?, None);
            Job::Create { create, token }
        }
    };
    let carried = if ending.is_some() { BTreeMap::new() } else { state.counts() };
    let (wipes, since) = (state.wipes(), Instant::now());
    let pending = Arc::new(Pending { job, delta, carried, wipes, ending, intent, since, taking: None });
    state.pending = Some(Arc::clone(&pending));
    Ok(Some(pending))
}

pub(super) async fn run(session: &Session, pending: Arc<Pending>) -> Result<Step> {
    let store = &session.inner.engine.store;
    match &pending.job {
        Job::Create { create, token } => {
            let answer = store.create(create).await?;
            Ok(created(session, &pending, create, token, answer))
        }
        Job::Commit { commit, token } => {
            let answer = store.commit(commit).await?;
            committed(session, &pending, commit, token.as_ref(), answer)
        }
        // Two scripts on two shards: a request that is dropped between them would leave nothing.
        Job::Login { .. } => {
            let (session, pending) = (session.clone(), Arc::clone(&pending));
            Box::pin(shield(async move { login(&session, &pending).await })).await
        }
        Job::End(end) => match store.end(end).await? {
            Finished::Moved(to) => Ok(moved(session, to)),
            answer => {
                if matches!(answer, Finished::Ended { .. }) {
                    replicated::done(session, &pending.job);
                }
                let mut state = session.state();
                state.settle(&pending, None);
                state.ended = Some(match answer {
                    Finished::Ended { at, .. } => Ended { reason: end.reason, at: Some(at), device: None },
                    Finished::Gone(ended) => ended,
                    Finished::Moved(_) => Ended::UNKNOWN,
                });
                state.cookie = CookieAction::Remove;
                Ok(Step::Settled)
            }
        },
    }
}

fn committed(
    session: &Session,
    pending: &Pending,
    commit: &Commit,
    token: Option<&Token>,
    answer: Committed,
) -> Result<Step> {
    let layer = session.inner.engine.settings.policy;
    let mut state = session.state();
    match answer {
        Committed::Committed { version, at, image, merged } => {
            match merged {
                None => state.advance(pending, commit, version, at, image),
                Some(mut record) => {
                    dress(&mut record, commit, at);
                    let record = state.as_known(commit, Record { loaded_at: at, ..*record });
                    state.settle(pending, Some(record));
                }
            }
            if let Some(token) = token {
                let remaining = state.record.as_ref().map(|record| record.deadline.since(at));
                state.cookie = CookieAction::Issue(token.clone(), remaining.unwrap_or_default());
            }
            drop(state);
            replicated::done(session, &pending.job);
            Ok(Step::Settled)
        }
        Committed::Conflict { current, .. } | Committed::Behind { current, .. }
            if pending.taking.is_some() =>
        {
            let current = state.as_known(commit, *current);
            state.pending = None;
            state.adopt(current);
            Ok(Step::Again(Vec::new()))
        }
        Committed::Conflict { keys, current } => {
            let current = state.as_known(commit, *current);
            let named =
                if keys.is_empty() { commit.delta.changes.keys().cloned().collect() } else { keys.clone() };
            let again = !keys.is_empty() && state.rebase(&keys, current, layer)?;
            state.pending = None;
            Ok(if again { Step::Again(named) } else { Step::Over(Outcome::Conflict(named)) })
        }
        // Nothing happened under this event, so it can be tried anew from the session as it is now. What
        // the request relied on is compared by value.
        Committed::Behind { current, never } if never && pending.since.elapsed() < SURELY => {
            let current = state.as_known(commit, *current);
            let outdated = match commit.policy {
                Policy::Strict => commit.delta.changes.keys().cloned().collect(),
                _ => state.outdated_writes(&commit.delta, &current),
            };
            let again = commit.policy != Policy::Strict && state.rebase(&outdated, current, layer)?;
            state.pending = None;
            Ok(if again { Step::Again(outdated) } else { Step::Over(Outcome::Conflict(outdated)) })
        }
        Committed::Gone(ended) => {
            drop(state);
            Ok(gone(session, ended))
        }
        Committed::Moved(to) => {
            let anew = matches!(state.intent, Some(Intent::Reauthenticate(_)));
            drop(state);
            // The old token of a renewal proves nothing any more.
            let replaced = Ended { reason: EndReason::Replaced, at: None, device: None };
            Ok(if anew { gone(session, replaced) } else { moved(session, to) })
        }
        Committed::Taken => {
            state.pending = None;
            Ok(Step::Moved)
        }
        Committed::Behind { .. } => {
            state.pending = None;
            Err(Error::msg(
                ErrorKind::Unavailable,
                "too much was committed to this session since it was loaded; nothing was changed",
            ))
        }
    }
}

pub(super) fn gone(session: &Session, ended: Ended) -> Step {
    let mut state = session.state();
    let replaced = matches!(ended.reason, EndReason::Replaced | EndReason::Replayed);
    state.gone(ended.clone());
    // Whoever replaced or renewed the session has been given the new cookie, which this response may overtake.
    state.cookie = if replaced { CookieAction::Keep } else { CookieAction::Remove };
    Step::Over(Outcome::Gone(ended))
}

/// Another request renewed the session: what this one wants goes to where it lives now, and this one
/// is the request with the old token.
fn moved(session: &Session, to: Address) -> Step {
    let mut state = session.state();
    // It may have been done before the session moved, and only its answer got lost: what is asked for there
    // has the same id, so that it happens once.
    state.pending = state.pending.take().and_then(|pending| match &pending.job {
        Job::Commit { commit, .. } if !commit.delta.is_empty() => {
            let commit = Commit { at: to, renewal: None, ..commit.clone() };
            Some(Arc::new(Pending {
                job: Job::Commit { commit, token: None },
                delta: pending.delta.clone(),
                carried: pending.carried.clone(),
                wipes: pending.wipes,
                ending: pending.ending,
                intent: None,
                since: pending.since,
                taking: pending.taking.clone(),
            }))
        }
        _ => None,
    });
    if let Some(record) = &mut state.record {
        record.address = to;
        record.superseded = true;
    }
    if matches!(state.intent, Some(Intent::Renew)) {
        state.intent = None;
    }
    Step::Moved
}

fn end(session: &Session, record: &Record, reason: EndReason) -> End {
    End {
        at: record.address,
        event: EventId::new(),
        reason,
        keep_fields: reason == EndReason::Replaced,
        remember: session.inner.engine.settings.remember,
        user: record.user.clone(),
        context: Arc::clone(&session.inner.context),
    }
}

/// Runs `work` to its end even if the caller is dropped.
pub(super) async fn shield<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => match runtime.spawn(work).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, error)),
        },
        Err(_) => work.await,
    }
}

/// Up to 1, 2, 4 … 32 ms, so that requests which collided do not collide again.
pub(super) fn jitter(tries: u32) -> Duration {
    let mut byte = [0; 1];
    // Without random bytes there is no jitter; it is a courtesy, not a protection.
    let _ = getrandom::fill(&mut byte);
    let [byte] = byte;
    Duration::from_micros((1000 << tries.min(5)) * u64::from(byte) / 256)
}
