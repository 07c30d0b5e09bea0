//! One request's turn: begin, handler, finish.

use std::sync::Arc;

use super::{Load, Refusal, RequestHead, SessionConfig, loopback::is_loopback};
use crate::{
    audit::RequestContext,
    cookie::{Presented, read},
    id::Address,
    session::{CookieAction, Engine, Outcome, Session, commit},
    store::{SessionStore, Touch},
};

/// A store and its configuration: what an adapter holds.
#[derive(Clone, Debug)]
pub struct Manager {
    engine: Arc<Engine>,
    config: Arc<SessionConfig>,
    /// Of requests that no trail tells of.
    no_context: Arc<RequestContext>,
}

/// What to do before the handler.
#[derive(Debug)]
#[must_use]
pub enum Opening {
    /// Call the handler with this session.
    Ready(Session),
    /// Call [`Session::load`] first, and [`Manager::load_failed`] if that fails.
    Load(Session),
    /// Answer this; the handler does not run.
    Refused(Refusal),
}

/// What to do with the handler's response.
#[derive(Debug)]
#[must_use]
pub struct Ending {
    /// Answer this in the handler's place.
    pub refusal: Option<Refusal>,
    /// Append this `Set-Cookie`.
    pub set_cookie: Option<String>,
    /// Whether the response depends on the session.
    pub accessed: bool,
}

/// Closes the session when the request is over, also if that is because the client hung up: whoever
/// still holds the handle then learns that nobody will commit what is written from now on.
pub(crate) struct Turn(Option<Session>);

impl Turn {
    pub(crate) fn of(session: &Session) -> Self {
        Self(Some(session.clone()))
    }

    /// Of a request that never got a session.
    pub(crate) const fn refused() -> Self {
        Self(None)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            let _ = session.close();
        }
    }
}

impl Manager {
    /// Sessions in `store`.
    pub fn new(store: impl SessionStore, config: SessionConfig) -> Self {
        let engine = Arc::new(Engine::new(store, config.settings.clone()));
        Self { engine, config: Arc::new(config), no_context: Arc::default() }
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        self.config.cookie.name()
    }

    /// Whether the adapter sets `Vary` and `Cache-Control`.
    pub fn sets_cache_headers(&self) -> bool {
        self.config.cache_headers
    }

    /// Reads a request's head.
    pub fn begin<'a, C: Iterator<Item = &'a [u8]>>(&self, head: RequestHead<'a, C>) -> Opening {
        if self.config.cookie.is_loopback_only() && !head.host.is_some_and(is_loopback) {
            tracing::error!(
                "a request for another host than localhost, with the cookie for local development"
            );
            return Opening::Refused(Refusal::InsecureHost);
        }
        let context = match self.engine.store.audits() {
            true => Arc::new(head.context()),
            false => Arc::clone(&self.no_context),
        };
        let presented = self.presented(head.cookies);
        let session = Session::new(Arc::clone(&self.engine), presented, Touch::Refresh, context);
        match presented {
            Some(_) if self.config.load == Load::Eager => Opening::Load(session),
            _ => Opening::Ready(session),
        }
    }

    fn presented<'a>(&self, cookies: impl Iterator<Item = &'a [u8]>) -> Option<Address> {
        match read(self.config.cookie.name(), cookies) {
            Presented::Token(token) if self.engine.store.shards().contains(token.shard()) => {
                Some(token.address())
            }
            Presented::Nothing => None,
            Presented::Duplicate => {
                // Somebody else may have set one of them: worth a look, unlike the garbage below.
                tracing::warn!("more than one session cookie in a request; it goes on without a session");
                None
            }
            Presented::Token(_) | Presented::Malformed | Presented::Oversized => {
                tracing::debug!("a session cookie that can't be one of ours");
                None
            }
        }
    }

    /// The answer to a load that failed.
    pub fn load_failed(&self, error: crate::error::Error) -> Refusal {
        tracing::error!(error = &error as &dyn std::error::Error, "a session could not be loaded");
        Refusal::from_error(error, self.config.retry_after)
    }

    /// Whether [`finish`](Self::finish) has anything to wait for, given the response's status.
    pub fn must_wait(&self, session: &Session, status: u16) -> bool {
        session.wants_commit(self.counts(status))
    }

    /// Commits, and tells what the response must say.
    pub async fn finish(&self, session: &Session, status: u16) -> Ending {
        if !self.counts(status) {
            session.forget_changes();
        }
        let refusal = match commit(session).await {
            Ok(Outcome::Done) => None,
            Ok(Outcome::Conflict(keys)) => {
                Some(Refusal::Conflict { keys: keys.iter().map(ToString::to_string).collect() })
            }
            Ok(Outcome::Gone(ended)) => Some(Refusal::Gone(ended)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a session could not be committed");
                Some(Refusal::from_error(error, self.config.retry_after))
            }
        };
        self.close(session, refusal)
    }

    /// What the response must say where nothing is to be committed.
    pub fn close(&self, session: &Session, refusal: Option<Refusal>) -> Ending {
        let (cookie, accessed) = session.close();
        let set_cookie = match cookie {
            CookieAction::Keep => None,
            CookieAction::Issue(token, remaining) => Some(self.config.cookie.issue(&token, remaining)),
            CookieAction::Remove => Some(self.config.cookie.remove().to_owned()),
        };
        Ending { refusal, set_cookie, accessed }
    }

    /// Whether a handler that answers `status` has done its work.
    fn counts(&self, status: u16) -> bool {
        status < 500 || self.config.commit_on_server_error
    }
}
