//! Waiting for replicas, where a change must be as sure as that.

use super::{Session, commit::Job};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{Address, EventId},
    store::{Confirm, Confirmed, Durability, TooFew},
};

/// Notes that this was done, and must be confirmed if the layer or the handler want that.
pub(super) fn done(session: &Session, job: &Job) {
    let mut state = session.state();
    let durability = match (state.durability, is_grave(job)) {
        (Some(asked), _) => asked,
        (None, true) => session.inner.engine.settings.durability,
        (None, false) => Durability::Fast,
    };
    let Durability::Replicated { replicas, timeout, otherwise } = durability else { return };
    for (at, event) in changes(job).into_iter().flatten() {
        state.unconfirmed.push((Confirm { at, event, replicas, timeout }, otherwise));
    }
}

/// Whether it decides who somebody is: what an attacker would want undone.
fn is_grave(job: &Job) -> bool {
    match job {
        Job::Login { .. } | Job::End(_) => true,
        Job::Commit { commit, .. } => commit.renewal.as_ref().is_some_and(|renewal| renewal.anew.is_some()),
        Job::Create { .. } => false,
    }
}

fn changes(job: &Job) -> [Option<(Address, EventId)>; 2] {
    match job {
        Job::Create { create, .. } => [Some((create.at, create.event)), None],
        Job::Commit { commit, .. } => {
            let at = commit.renewal.as_ref().map_or(commit.at, |renewal| renewal.to);
            [Some((at, commit.event)), None]
        }
        Job::Login { end, create, .. } => {
            [end.as_ref().map(|end| (end.at, end.event)), Some((create.at, create.event))]
        }
        Job::End(end) => [Some((end.at, end.event)), None],
    }
}

/// Waits for the replicas of all that was done and not confirmed.
pub(super) async fn wait(session: &Session) -> Result<()> {
    loop {
        let Some((confirm, otherwise)) = session.state().unconfirmed.first().copied() else { return Ok(()) };
        let answer = session.inner.engine.store.confirm(&confirm).await;
        let error = match answer {
            Ok(Confirmed::Replicated) => None,
            Ok(Confirmed::TooFew(count)) => {
                let text = format!("{count} of {} replicas have it", confirm.replicas);
                Some(Error::msg(ErrorKind::NotReplicated, text))
            }
            Ok(Confirmed::Lost) => {
                // Nothing is left to confirm. What the request believes is of a history that is no more.
                session.state().unconfirmed.clear();
                let text = "a failover has lost what this request changed";
                return Err(Error::msg(ErrorKind::Unavailable, text));
            }
            Err(error) if error.kind() == ErrorKind::Config => return Err(error),
            Err(error) => Some(Error::new(ErrorKind::NotReplicated, error)),
        };
        match (error, otherwise) {
            (None, _) => {}
            (Some(error), TooFew::GoOn) => {
                let (session, error) = (confirm.at.reference, &error as &dyn std::error::Error);
                tracing::warn!(%session, error, "a change is not replicated, and a failover may undo it");
            }
            // It stays to be confirmed: whoever saves again asks the replicas again.
            (Some(error), TooFew::Refuse) => return Err(error),
        }
        let mut state = session.state();
        if state.unconfirmed.first().is_some_and(|(first, _)| *first == confirm) {
            state.unconfirmed.remove(0);
        }
    }
}
