//! One request's turn: begin, handler, finish.

use std::sync::Arc;

use super::{Load, Refusal, RequestHead, SessionConfig, loopback::is_loopback};
use crate::{
    audit::RequestContext,
    cookie::{Presented, read},
    header::{self, Carrier, HeaderConfig, Transport},
    id::Token,
    session::{Claim, CookieAction, Engine, Outcome, Session, commit},
    store::SessionStore,
};

/// A store and its configuration: what an adapter holds. Clones share them; there is one for each request.
#[derive(Clone, Debug)]
pub struct Manager(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    engine: Arc<Engine>,
    config: SessionConfig,
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
    /// Set this header, which is a secret: a new token, or nothing where the session is no more. Only for
    /// requests that came with a header, which never get a cookie.
    pub token_header: Option<(&'static str, String)>,
    /// Whether the response depends on the session.
    pub accessed: bool,
}

/// Closes the session when the request is over, also if that is because the client hung up: whoever
/// still holds the handle then learns that nobody will commit what is written from now on.
pub(crate) struct Turn(Option<Session>);

impl Turn {
    pub(crate) const fn of(session: Session) -> Self {
        Self(Some(session))
    }

    /// Of a request that never got a session.
    pub(crate) const fn refused() -> Self {
        Self(None)
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.0.as_ref()
    }

    /// What the response must say, given its status, where there is nothing to commit.
    pub(crate) fn finish_at_once(&mut self, manager: &Manager, status: u16) -> Option<Ending> {
        let ending = manager.finish_at_once(self.0.as_ref()?, status)?;
        // It is closed.
        self.0 = None;
        Some(ending)
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
        Self(Arc::new(Shared { engine, config, no_context: Arc::default() }))
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        self.0.config.cookie.name()
    }

    /// Whether the adapter sets `Vary` and `Cache-Control`.
    pub fn sets_cache_headers(&self) -> bool {
        self.0.config.cache_headers
    }

    /// The header that may hold a request's token, in lower case, if any may. The adapter gives its lines
    /// to [`begin_with`](Self::begin_with), and marks them as secret before the handler can log them.
    pub fn token_header(&self) -> Option<&'static str> {
        self.0.config.transport.header().map(HeaderConfig::name)
    }

    /// Whether a request's host is of interest; otherwise the adapter need not look for it.
    pub fn looks_at_host(&self) -> bool {
        self.0.config.cookie.is_loopback_only()
    }

    /// Whether a request's `traceparent` is of interest; otherwise the adapter need not look for it.
    pub fn looks_at_trace(&self) -> bool {
        self.0.engine.store.audits()
    }

    /// What responses depend on, as `Vary` names it.
    pub(super) fn varies_by(&self) -> [Option<&'static str>; 2] {
        self.0.config.transport.varies_by()
    }

    /// Reads a request's head, without the header that may hold its token.
    pub fn begin<'a, C: Iterator<Item = &'a [u8]>>(&self, head: RequestHead<'a, C>) -> Opening {
        self.begin_with(head, [])
    }

    /// Reads a request's head and all lines of its [`token_header`](Self::token_header).
    pub fn begin_with<'a, C: Iterator<Item = &'a [u8]>>(
        &self,
        head: RequestHead<'a, C>,
        tokens: impl IntoIterator<Item = &'a [u8]>,
    ) -> Opening {
        if self.looks_at_host() && !head.host.is_some_and(is_loopback) {
            tracing::error!(
                "a request for another host than localhost, with the cookie for local development"
            );
            return Opening::Refused(Refusal::InsecureHost);
        }
        let context = match self.looks_at_trace() {
            true => Arc::new(head.context()),
            false if head.client_ip.is_some() || head.user_agent.is_some() => Arc::new(head.origin()),
            false => Arc::clone(&self.0.no_context),
        };
        let touch = self.0.config.touch.of(head.method, head.path);
        let Some((presented, carrier)) = self.carried(head.cookies, tokens) else {
            tracing::warn!("a request with a session cookie and a session token in a header");
            return Opening::Refused(Refusal::TwoTokens);
        };
        let token = self.accepted(presented, carrier);
        let eager = token.is_some() && self.0.config.load == Load::Eager;
        let claim =
            token.map(|token| if eager { Claim::Address(token.address()) } else { Claim::Token(token) });
        let session = Session::new(Arc::clone(&self.0.engine), claim, carrier, touch, context);
        if eager { Opening::Load(session) } else { Opening::Ready(session) }
    }

    /// What the request presents, and by which way; `None` where that is both.
    fn carried<'a>(
        &self,
        cookies: impl Iterator<Item = &'a [u8]>,
        tokens: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<(Presented, Carrier)> {
        let cookie = || read(self.0.config.cookie.name(), cookies);
        match &self.0.config.transport {
            Transport::Cookie => Some((cookie(), Carrier::Cookie)),
            Transport::Header(config) => Some((header::read(config, tokens), Carrier::Header)),
            Transport::CookieOrHeader(config) => match (cookie(), header::read(config, tokens)) {
                (cookie, Presented::Nothing) => Some((cookie, Carrier::Cookie)),
                (Presented::Nothing, token) => Some((token, Carrier::Header)),
                _ => None,
            },
        }
    }

    fn accepted(&self, presented: Presented, carrier: Carrier) -> Option<Token> {
        match presented {
            Presented::Token(token) if self.0.engine.store.shards().contains(token.shard()) => Some(token),
            Presented::Nothing => None,
            Presented::Duplicate => {
                // Somebody else may have set one of them: worth a look, unlike the garbage below.
                tracing::warn!(
                    ?carrier,
                    "more than one session token in a request; it goes on without a session"
                );
                None
            }
            Presented::Token(_) | Presented::Malformed | Presented::Oversized => {
                tracing::debug!(?carrier, "a session token that can't be one of ours");
                None
            }
        }
    }

    /// The answer to a load that failed.
    pub fn load_failed(&self, error: crate::error::Error) -> Refusal {
        tracing::error!(error = &error as &dyn std::error::Error, "a session could not be loaded");
        Refusal::from_error(error, self.0.config.retry_after)
    }

    /// What the response must say, given its status, where there is nothing to commit. `None`: ask
    /// [`finish`](Self::finish).
    pub fn finish_at_once(&self, session: &Session, status: u16) -> Option<Ending> {
        let (cookie, accessed) = session.close_at_once(self.counts(status))?;
        Some(self.ending(session, cookie, accessed, None))
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
            Ok(Outcome::Rejected) => Some(Refusal::Rejected),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a session could not be committed");
                Some(Refusal::from_error(error, self.0.config.retry_after))
            }
        };
        let (cookie, accessed) = session.close();
        self.ending(session, cookie, accessed, refusal)
    }

    fn ending(
        &self,
        session: &Session,
        cookie: CookieAction,
        accessed: bool,
        refusal: Option<Refusal>,
    ) -> Ending {
        let mut ending = Ending { refusal, set_cookie: None, token_header: None, accessed };
        let header = self.0.config.transport.header().filter(|_| session.carrier() == Carrier::Header);
        match (cookie, header) {
            (CookieAction::Keep, _) => {}
            (CookieAction::Issue(token, _), Some(header)) => {
                ending.token_header = Some((header.response_name(), token.expose()));
            }
            (CookieAction::Remove, Some(header)) => {
                ending.token_header = Some((header.response_name(), String::new()));
            }
            (CookieAction::Issue(token, remaining), None) => {
                ending.set_cookie = Some(self.0.config.cookie.issue(&token, remaining));
            }
            (CookieAction::Remove, None) => {
                ending.set_cookie = Some(self.0.config.cookie.remove().to_owned());
            }
        }
        ending
    }

    /// Whether a handler that answers `status` has done its work.
    fn counts(&self, status: u16) -> bool {
        status < 500 || self.0.config.commit_on_server_error
    }
}
