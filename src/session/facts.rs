//! What a session says of itself.

use std::time::Duration;

use super::{Session, state::Intent};
use crate::{
    clock::Timestamp,
    id::SessionRef,
    record::{Authentication, Ended, Version},
};

impl Session {
    /// The session's public name, for logs. `None` while nothing is stored.
    pub fn reference(&self) -> Option<SessionRef> {
        self.state().record.as_ref().map(|record| record.address.reference)
    }

    /// How often the session was committed. `None` while nothing is stored.
    pub fn version(&self) -> Option<Version> {
        self.seen().record.as_ref().map(|record| record.base.version)
    }

    /// Who is signed in. Never anybody before the session is loaded, nor while a second factor is
    /// [outstanding](Self::login_pending).
    pub fn user(&self) -> Option<String> {
        let state = self.seen();
        match &state.intent {
            Some(Intent::Login(login)) if login.outstanding => None,
            Some(Intent::Login(login)) => Some(login.user.clone()),
            _ if state.ending.is_some() => None,
            _ => state.record.as_ref()?.user.clone(),
        }
    }

    /// When and how the user signed in, once that is stored.
    pub fn authentication(&self) -> Option<Authentication> {
        self.seen().record.as_ref()?.authentication.clone()
    }

    /// When the session began, by the store's clock.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.seen().record.as_ref().map(|record| record.created_at)
    }

    /// How long the session lives without a further request, as of this one.
    pub fn expires_in(&self) -> Option<Duration> {
        self.seen().record.as_ref().map(|record| record.expires_in)
    }

    /// Whether nothing is stored yet: the visitor has no session, or it ended.
    pub fn is_new(&self) -> bool {
        self.seen().record.is_none()
    }

    /// What became of the session that the request's cookie names, if it is no more and that is known.
    pub fn ended(&self) -> Option<Ended> {
        self.seen().ended.clone()
    }
}
