//! How a session begins: by its first write, or by a sign-in, which may end another one before.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Login, Session,
    commit::{Job, Outcome, Step, gone},
    device, factor, replicated,
    state::{CookieAction, Intent, Pending},
};
use crate::{
    error::Result,
    id::{EventId, SessionHandle, Token},
    record::{Delta, EndReason, Ended, Record},
    store::{Create, Created, Finished, Listing, Reserved, SignIn},
};

pub(super) async fn login(session: &Session, pending: &Pending) -> Result<Step> {
    let Job::Login { end, create, token, began } = &pending.job else { return Ok(Step::Moved) };
    let store = &session.inner.engine.store;
    let mut create = create.clone();
    let mut carried = BTreeMap::new();
    let Some(Intent::Login(login)) = &pending.intent else { return Ok(Step::Moved) };
    if end.is_some() || login.outstanding {
        // A sign-in that is rejected must not cost the session that asks for it.
        let generation = match began.get() {
            Some(generation) => *generation,
            None => match store.reserve(&create).await? {
                Reserved::Reserved(generation) => *began.get_or_init(|| generation),
                Reserved::Rejected => return Ok(rejected(session)),
            },
        };
        if let Some(listing) = create.sign_in.as_mut().and_then(|sign_in| sign_in.listing.as_mut()) {
            // All the user's sessions may have been revoked between the first factor and the second.
            listing.began = Some(login.began.map_or(generation, |first| first.min(generation)));
        }
    }
    if let Some(end) = end {
        match store.end(end).await? {
            Finished::Ended { event, fields, .. } => {
                create.predecessor = Some((end.at.reference, event));
                carried = fields;
            }
            // Another sign-in with this session was faster, or it was signed out: nothing to sign in.
            Finished::Gone(ended) => return Ok(gone(session, ended)),
            Finished::Moved(_) => {
                return Ok(gone(session, Ended { reason: EndReason::Replaced, at: None, device: None }));
            }
        }
    }
    create.delta = session.state().carry_over(pending, carried)?;
    if login.outstanding {
        create = factor::awaiting_second(create, login)?;
    }
    let answer = store.create(&create).await?;
    Ok(created(session, pending, &create, token, answer))
}

/// A session began, or its address was taken.
pub(super) fn created(
    session: &Session,
    pending: &Pending,
    create: &Create,
    token: &Token,
    answer: Created,
) -> Step {
    let at = match answer {
        Created::Created { at } => at,
        Created::Taken => {
            // Not by chance: 240 random bits. Whatever it is, another token is the answer.
            session.state().pending = None;
            return Step::Moved;
        }
        Created::Rejected => return rejected(session),
        Created::Revoked(ended) => return gone(session, ended),
    };
    let mut state = session.state();
    let record = create.record(at);
    state.settle(pending, Some(Box::new(record)));
    state.ended = None;
    state.cookie = CookieAction::Issue(token.clone(), create.absolute);
    drop(state);
    replicated::done(session, &pending.job);
    Step::Settled
}

/// The user has as many sessions as there may be. What was to begin with the sign-in is dropped with it.
fn rejected(session: &Session) -> Step {
    let mut state = session.state();
    state.pending = None;
    state.forget();
    Step::Over(Outcome::Rejected)
}

pub(super) fn create(session: &Session, token: &Token, delta: Delta, login: Option<&Login>) -> Create {
    let settings = &session.inner.engine.settings;
    Create {
        at: token.address(),
        event: EventId::new(),
        idle: settings.idle(token.idle_class()),
        absolute: settings.absolute(token.idle_class()),
        sign_in: login.map(|login| SignIn {
            user: login.user.clone(),
            method: login.method.clone(),
            listing: None,
        }),
        device: login.and_then(|login| login.device.clone().or_else(|| named(session))),
        delta,
        predecessor: None,
        context: Arc::clone(&session.inner.context),
    }
}

/// How the session that signs in appears in the user's list.
pub(super) fn listing(session: &Session, login: &Login, before: Option<&Record>) -> Result<Listing> {
    let engine = &session.inner.engine;
    let settings = &engine.settings;
    Ok(Listing {
        handle: SessionHandle::generate(engine.random)?,
        address: session.inner.context.ip.and_then(|ip| settings.listed_address.of(ip)),
        // It is no session of the user's yet, and takes no place among them.
        cap: settings.cap.filter(|_| !login.outstanding),
        began: None,
        replaces: before.map(|record| record.address.reference),
        remember: settings.remember,
    })
}

/// What the device is called that a request comes from.
fn named(session: &Session) -> Option<String> {
    device::label(session.inner.context.user_agent.as_deref()?)
}
