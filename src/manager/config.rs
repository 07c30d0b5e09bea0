//! The settings of a layer.

use std::{sync::Arc, time::Duration};

use super::touch::TouchPolicy;
use crate::{
    cookie::CookieConfig,
    error::{Error, ErrorKind, Result},
    header::Transport,
    session::{Lifetime, Limits, ListedAddress, ReplayPolicy, Settings},
    store::{CapPolicy, Durability, Policy, SessionCap, Touch},
};

/// How many sessions of a user a cap may allow.
const MAX_CAP: u32 = 1000;

/// The index remembers for a little longer that all sessions of a user were revoked, so that a sign-in which
/// began before is noticed: see `revoke.lua`.
const MOST_PENDING: Duration = Duration::from_secs(60 * 60);

/// When a session is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Load {
    /// Whenever a request carries a well-formed token: every request counts as activity, an outage is
    /// answered before the handler runs, and handlers need not wait for anything.
    #[default]
    Eager,
    /// When it is first asked for. A request that never asks costs nothing and is no activity.
    Lazy,
}

/// How sessions behave, the same for every adapter.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::{cookie::CookieConfig, manager::SessionConfig, store::Policy};
///
/// let config = SessionConfig::default()
///     .with_cookie(CookieConfig::builder().name("__Host-shop").build()?)
///     .with_idle_timeout(Duration::from_secs(30 * 60))?
///     .with_policy(Policy::Strict);
/// # Ok::<(), cloakroom::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionConfig {
    pub(super) cookie: CookieConfig,
    pub(super) transport: Transport,
    pub(super) load: Load,
    pub(super) touch: TouchPolicy,
    pub(super) settings: Settings,
    pub(super) cache_headers: bool,
    pub(super) commit_on_server_error: bool,
    pub(super) retry_after: Duration,
}

impl SessionConfig {
    /// How the cookie looks. Default: `__Host-Http-id`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`.
    #[must_use]
    pub fn with_cookie(mut self, cookie: CookieConfig) -> Self {
        self.cookie = cookie;
        self
    }

    /// How tokens travel. Default: in the cookie alone, see [`header`](crate::header).
    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// When sessions are loaded. Default: [`Load::Eager`].
    #[must_use]
    pub fn with_load(mut self, load: Load) -> Self {
        self.load = load;
        self
    }

    /// Whether requests count as activity. Default: [`Touch::Refresh`]. For a layer of its own around what a
    /// page polls; [`with_touch_by`](Self::with_touch_by) is for one layer around everything.
    ///
    /// With [`Touch::Peek`] no request keeps a session alive, whether it reads or writes; what is left is what
    /// [`expires_in`](crate::session::Session::expires_in) tells. A sign-in, a proof anew and
    /// [`touch`](crate::session::Session::touch) are activity even so, and the absolute lifetime is none of
    /// this.
    #[must_use]
    pub fn with_touch(mut self, touch: Touch) -> Self {
        self.touch = TouchPolicy::Always(touch);
        self
    }

    /// Decides for each request whether it counts as activity, by its method and its path without the query,
    /// before the session is loaded: what a router knows of a request comes too late for that. Otherwise as
    /// [`with_touch`](Self::with_touch).
    ///
    /// The path is the one that the layer sees, not decoded: inside of an axum `nest` it is without the prefix
    /// of the nest, in actix-web it is always the whole one.
    ///
    /// ```
    /// use cloakroom::{manager::SessionConfig, store::Touch};
    ///
    /// // A tab that is left open asks for news every ten seconds; its user may be gone for long.
    /// let config = SessionConfig::default().with_touch_by(|_method, path| match path {
    ///     "/notifications" | "/session/expires-in" => Touch::Peek,
    ///     _ => Touch::Refresh,
    /// });
    /// ```
    #[must_use]
    pub fn with_touch_by(mut self, touch: impl Fn(&str, &str) -> Touch + Send + Sync + 'static) -> Self {
        self.touch = TouchPolicy::By(Arc::new(touch));
        self
    }

    /// How long a session lives without a request. Default: one hour.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_idle_timeout(mut self, idle: Duration) -> Result<Self> {
        self.settings.ordinary.idle = in_range("idle timeout", idle)?;
        Ok(self)
    }

    /// How long a session lives at most, whatever the activity. Default: 24 hours.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_absolute_timeout(mut self, absolute: Duration) -> Result<Self> {
        self.settings.ordinary.absolute = in_range("absolute timeout", absolute)?;
        Ok(self)
    }

    /// How long a [remembered](crate::session::Login::remembered) sign-in lives without a request, and at
    /// most. Default: 14 days and 30 days, which is what NIST SP 800-63B-4 allows at AAL1; it is no AAL2
    /// session whatever the factors were. The store decides; the cookie's `Max-Age` only follows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days, and for an idle timeout beyond the
    /// absolute one.
    pub fn with_remembered_timeouts(mut self, idle: Duration, absolute: Duration) -> Result<Self> {
        let idle = in_range("remembered idle timeout", idle)?;
        let absolute = in_range("remembered absolute timeout", absolute)?;
        if idle > absolute {
            let text = format!("remembered idle timeout of {idle:?}: take the absolute {absolute:?} at most");
            return Err(Error::msg(ErrorKind::Config, text));
        }
        self.settings.remembered = Lifetime { idle, absolute };
        Ok(self)
    }

    /// How long a second factor is waited for after
    /// [`login_pending`](crate::session::Session::login_pending); no request prolongs it. Default: ten minutes,
    /// the most that NIST SP 800-63B-4, 3.1.3 allows for a code that was sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to one hour.
    pub fn with_pending_timeout(mut self, pending: Duration) -> Result<Self> {
        let pending = in_range("pending timeout", pending)?;
        if pending > MOST_PENDING {
            let text = format!("pending timeout of {pending:?}: take one hour at most");
            return Err(Error::msg(ErrorKind::Config, text));
        }
        self.settings.pending = pending;
        Ok(self)
    }

    /// What happens when two requests change one session at a time. Default: [`Policy::Merge`].
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// What a session may hold. Default: 64 KiB, 256 keys, 32 levels.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How long an `update` is tried again before its conflict is reported. Default: one second.
    #[must_use]
    pub fn with_replay_for(mut self, replay: Duration) -> Self {
        self.settings.replay = replay;
        self
    }

    /// What happens when a token is used again after the grace of its renewal. Default:
    /// [`ReplayPolicy::Ignore`].
    #[must_use]
    pub fn with_replay_policy(mut self, policy: ReplayPolicy) -> Self {
        self.settings.on_replay = policy;
        self
    }

    /// How many sessions a user may have at a time, and what happens at one more. It holds exactly, however many
    /// sign in at once; sessions whose time ran out don't count. Default: any number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a cap of 0, and beyond 1,000: a sign-in looks at each of them in one script.
    pub fn with_session_cap(mut self, cap: u32, policy: CapPolicy) -> Result<Self> {
        let limit = std::num::NonZeroU32::new(cap)
            .ok_or_else(|| Error::msg(ErrorKind::Config, "a session cap of 0: nobody could sign in"))?;
        if cap > MAX_CAP {
            let text = format!("a session cap of {cap}: take {MAX_CAP} at most");
            return Err(Error::msg(ErrorKind::Config, text));
        }
        self.settings.cap = Some(SessionCap { limit, policy });
        Ok(self)
    }

    /// What a user's list of sessions tells of the address that he signed in from, where the application puts
    /// a [`ClientIp`](crate::audit::ClientIp) into its requests. Default: [`ListedAddress::Network`].
    #[must_use]
    pub fn with_listed_address(mut self, detail: ListedAddress) -> Self {
        self.settings.listed_address = detail;
        self
    }

    /// How long the old token of a renewed session leads to it, in case nobody ever uses the new one; from
    /// the new one's first use on it is ten seconds at most. Default: one minute.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] beyond one minute: an old token is one that somebody may have stolen.
    pub fn with_renewal_grace(mut self, grace: Duration) -> Result<Self> {
        if grace > Duration::from_secs(60) {
            return Err(Error::msg(
                ErrorKind::Config,
                format!("renewal grace of {grace:?}: take one minute at most"),
            ));
        }
        self.settings.grace = grace;
        Ok(self)
    }

    /// How long it is remembered why a session ended, and that a token was renewed. Default: 24 hours.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_memory_of_ends(mut self, remember: Duration) -> Result<Self> {
        self.settings.remember = in_range("memory of ends", remember)?;
        Ok(self)
    }

    /// How sure a sign-in, a sign-out and [`reauthenticate`](crate::session::Session::reauthenticate) must be
    /// before they are answered. Default: [`Durability::Fast`].
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// How often [`Session::until_ended`](crate::session::Session::until_ended) looks whether the session is still
    /// there, when no event says so. Default: 15 seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_recheck(mut self, every: Duration) -> Result<Self> {
        self.settings.recheck = in_range("recheck", every)?;
        Ok(self)
    }

    /// Leaves `Vary` and `Cache-Control` to the application. Default: a response that depends on the
    /// session says `Vary: Cookie` (or the header that holds the token), and
    /// `Cache-Control: private, no-store` unless the handler set it; a response with a session cookie or
    /// a token always says `private, no-store` (CVE-2023-30861, CVE-2024-26144).
    #[must_use]
    pub fn without_cache_headers(mut self) -> Self {
        self.cache_headers = false;
        self
    }

    /// Commits changes of a handler that answers 5xx, too. Default: such a handler failed, and only a
    /// logout or a destroy of it counts.
    #[must_use]
    pub fn with_commit_on_server_error(mut self) -> Self {
        self.commit_on_server_error = true;
        self
    }

    /// What `Retry-After` says while the store is out of reach, in whole seconds. Default: 1.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = after;
        self
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            cookie: CookieConfig::default(),
            transport: Transport::default(),
            load: Load::default(),
            touch: TouchPolicy::default(),
            settings: Settings::default(),
            cache_headers: true,
            commit_on_server_error: false,
            retry_after: Duration::from_secs(1),
        }
    }
}

fn in_range(what: &str, span: Duration) -> Result<Duration> {
    const MOST: Duration = Duration::from_secs(400 * 24 * 60 * 60);
    if (Duration::from_millis(1)..=MOST).contains(&span) {
        Ok(span)
    } else {
        Err(Error::msg(ErrorKind::Config, format!("{what} of {span:?}: take one millisecond to 400 days")))
    }
}
