//! Any user's sessions, for an administrator.

use std::{fmt, sync::Arc, time::Duration};

use super::commit::shield;
use crate::{
    audit::RequestContext,
    error::Result,
    events::{SessionEvents, Watch},
    id::{EventId, SessionHandle},
    record::{EndReason, SessionInfo},
    store::{ErasedStore, REMEMBER, Raise, Revocation, Revoked, SessionStore, Which},
};

/// Lists and ends the sessions of any user, from wherever the store can be reached: a back office, a job that
/// runs when an account is disabled. It asks nobody for leave; the application does.
///
/// ```
/// use cloakroom::{session::SessionAdmin, store::{MemoryStore, Revoked}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloakroom::error::Error> {
/// let admin = SessionAdmin::new(MemoryStore::new());
/// assert!(admin.sessions_of("alice").await?.is_empty());
/// assert_eq!(admin.revoke_all("alice").await?, Revoked::Revoked(0));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionAdmin {
    store: Arc<dyn ErasedStore>,
    remember: Duration,
    context: Arc<RequestContext>,
}

impl SessionAdmin {
    /// For the sessions in `store`.
    pub fn new(store: impl SessionStore) -> Self {
        Self { store: Arc::new(store), remember: REMEMBER, context: Arc::default() }
    }

    /// How long it is remembered why a session ended. Default: 24 hours, as
    /// [`with_memory_of_ends`](crate::manager::SessionConfig::with_memory_of_ends).
    #[must_use]
    pub fn with_memory_of_ends(mut self, remember: Duration) -> Self {
        self.remember = remember;
        self
    }

    /// What the trail tells of the request that asks.
    #[must_use]
    pub fn with_context(mut self, context: RequestContext) -> Self {
        self.context = Arc::new(context);
        self
    }

    /// The sessions of `user` that are alive, the youngest first.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) and the like when the store fails.
    pub async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>> {
        self.store.sessions_of(user).await
    }

    /// Ends one session of `user`. [`Revoked::NotFound`] if he has none of that name.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of).
    pub async fn revoke(&self, user: &str, handle: impl AsRef<str>) -> Result<Revoked> {
        match SessionHandle::parse(handle.as_ref()) {
            Some(handle) => self.carry_out(user, Which::One(handle)).await,
            None => Ok(Revoked::NotFound),
        }
    }

    /// Ends all sessions of `user`, and every sign-in of his that is under way.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of).
    pub async fn revoke_all(&self, user: &str) -> Result<Revoked> {
        self.carry_out(user, Which::All).await
    }

    /// Ends every session there is, whoever's, signed in or not: after a leak, or after Redis was restored from
    /// an old copy, in which sessions live that had ended. It raises the *epoch*, a number that every session
    /// is compared with at each load and each commit, so it takes as long for a million sessions as for one; a
    /// request under way commits nothing any more. Every session that existed when this was called is void when
    /// it has answered, and says [`EndReason::Epoch`] from then on. Answers the new epoch.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of), after one timeout for each shard that is out of reach. Sessions
    /// on the shards that were in reach are void even then; call it again until it succeeds.
    pub async fn revoke_everyone(&self) -> Result<u64> {
        let (store, raise) = (Arc::clone(&self.store), Raise { context: Arc::clone(&self.context) });
        let epoch = shield(async move { store.raise_epoch(&raise).await }).await?;
        tracing::warn!(epoch, "every session was ended by raising the epoch");
        Ok(epoch)
    }

    /// What happens to the sessions that `watch` names, on whichever instance; see [`events`](crate::events).
    ///
    /// # Errors
    ///
    /// [`Config`](crate::error::ErrorKind::Config) where the store tells no events; as
    /// [`sessions_of`](Self::sessions_of).
    pub async fn events(&self, watch: &Watch) -> Result<SessionEvents> {
        self.store.subscribe(watch).await
    }

    async fn carry_out(&self, user: &str, which: Which) -> Result<Revoked> {
        let revocation = Revocation {
            user: user.to_owned(),
            event: EventId::new(),
            which,
            reason: EndReason::RevokedByAdmin,
            by: None,
            device: None,
            remember: self.remember,
            context: Arc::clone(&self.context),
        };
        let store = Arc::clone(&self.store);
        // All of them or none, also if the caller is gone in the middle.
        shield(async move { store.revoke(&revocation).await }).await
    }
}

impl fmt::Debug for SessionAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionAdmin").finish_non_exhaustive()
    }
}
