//! A token that is used again after its grace.

use std::sync::Arc;

use super::Session;
use crate::{
    error::Result,
    id::{Address, EventId},
    record::EndReason,
    store::{End, Finished},
};

/// What happens when somebody uses the old token of a renewed session after its grace. Either way that request
/// goes on without a session, [`ended`](Session::ended) says [`EndReason::Replayed`], and a warning is logged.
///
/// Either the client never got the new token, or one of the two who hold these tokens has stolen one; which
/// one, nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplayPolicy {
    /// The renewed session lives on.
    #[default]
    Ignore,
    /// The renewed session ends, too, so that a thief has nothing of it: whoever is the user signs in again.
    Revoke,
}

/// How many renewals are followed to the session that is alive.
const MAX_MOVES: usize = 8;

/// Follows the session that `old` led to, if the policy wants its end.
pub(super) async fn replayed(session: &Session, old: Address, successor: Address) -> Result<()> {
    let engine = &session.inner.engine;
    tracing::warn!(
        session = %old.reference,
        successor = %successor.reference,
        policy = ?engine.settings.on_replay,
        "the token of a renewed session was used again after its grace"
    );
    if engine.settings.on_replay == ReplayPolicy::Ignore {
        return Ok(());
    }
    let mut end = End {
        at: successor,
        event: EventId::new(),
        reason: EndReason::Replayed,
        keep_fields: false,
        remember: engine.settings.remember,
        user: None,
        context: Arc::clone(&session.inner.context),
    };
    for _ in 0..MAX_MOVES {
        match engine.store.end(&end).await? {
            Finished::Moved(to) => end.at = to,
            Finished::Ended { .. } | Finished::Gone(_) => break,
        }
    }
    Ok(())
}
