//! The sessions of the user who is signed in.

use std::sync::Arc;

use super::{
    Session,
    commit::{gone, shield},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{EventId, SessionHandle},
    record::{EndReason, Ended, Record, SessionInfo},
    store::{Revocation, Revoked, Which},
};

/// The session that asks.
struct Own {
    user: String,
    handle: Option<SessionHandle>,
    device: Option<String>,
}

/// All of these are about the user of the *stored* session and are carried out at once, whatever the response's
/// status will be. A sign-in of the same request has to be [saved](Session::save) first.
impl Session {
    /// The sessions of this session's user that are alive, the youngest first. Two round trips.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAuthenticated`] where nobody is signed in; as [`load`](Session::load).
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        let Own { user, handle, .. } = self.signed_in().await?;
        let mut sessions = self.inner.engine.store.sessions_of(&user).await?;
        for info in &mut sessions {
            info.current = Some(info.handle) == handle;
        }
        Ok(sessions)
    }

    /// Ends one of the user's sessions, named by its [handle](SessionInfo::handle): this one or another. A
    /// handle of another user's, or text that is no handle, is [`Revoked::NotFound`], which an application
    /// answers with 404; nothing is changed then. Two round trips. Ask for a fresh proof of who the user is
    /// before.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions).
    pub async fn revoke(&self, handle: impl AsRef<str>) -> Result<Revoked> {
        let own = self.signed_in().await?;
        match SessionHandle::parse(handle.as_ref()) {
            Some(handle) => self.carry_out(own, Which::One(handle)).await,
            None => Ok(Revoked::NotFound),
        }
    }

    /// Ends all other sessions of the user, and every sign-in of his that is under way. Two round trips, more
    /// where sessions come and go meanwhile.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions).
    pub async fn revoke_others(&self) -> Result<Revoked> {
        let own = self.signed_in().await?;
        match own.handle {
            Some(handle) => self.carry_out(own, Which::Others(handle)).await,
            // Nothing is known by which this one could be spared.
            None => Ok(Revoked::Gone),
        }
    }

    /// Ends all sessions of the user, this one included, and every sign-in of his that is under way: when this
    /// has answered, none of them works anywhere. Two round trips, more where sessions come and go meanwhile.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions).
    pub async fn revoke_all(&self) -> Result<Revoked> {
        let own = self.signed_in().await?;
        self.carry_out(own, Which::All).await
    }

    async fn signed_in(&self) -> Result<Own> {
        self.load().await?;
        let mut state = self.state();
        state.accessed = true;
        let record = state.record.as_deref().filter(|_| state.ending.is_none());
        let own = |record: &Record| {
            let user = record.user.clone()?;
            Some(Own { user, handle: record.handle, device: record.device.clone() })
        };
        match record.and_then(own) {
            Some(own) => Ok(own),
            None => {
                let text = "nobody is signed in, so there are no sessions to list or to end";
                Err(Error::msg(ErrorKind::NotAuthenticated, text))
            }
        }
    }

    async fn carry_out(&self, own: Own, which: Which) -> Result<Revoked> {
        let _turn = self.inner.gate.lock().await;
        let engine = &self.inner.engine;
        let revocation = Revocation {
            user: own.user,
            event: EventId::new(),
            which,
            reason: EndReason::RevokedByUser,
            by: own.handle,
            device: own.device,
            remember: engine.settings.remember,
            context: Arc::clone(&self.inner.context),
        };
        let engine = Arc::clone(engine);
        // All of them or none, also if the client hangs up in the middle.
        let revoked = shield(async move { engine.store.revoke(&revocation).await }).await?;
        let over = match (revoked, which) {
            (Revoked::Gone, _) => Some(Ended::UNKNOWN),
            (Revoked::Revoked(_), Which::One(handle)) if Some(handle) != own.handle => None,
            (Revoked::Revoked(_), Which::One(_) | Which::All) => {
                Some(Ended { reason: EndReason::RevokedByUser, at: None, device: None })
            }
            (Revoked::Revoked(_), Which::Others(_)) | (Revoked::NotFound, _) => None,
        };
        if let Some(ended) = over {
            // What this request wanted of the session is void with it.
            let _ = gone(self, ended);
        }
        Ok(revoked)
    }
}
