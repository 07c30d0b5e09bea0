//! The settings of a layer.

use std::time::Duration;

use crate::{
    cookie::CookieConfig,
    error::{Error, ErrorKind, Result},
    header::Transport,
    session::{Limits, ListedAddress, ReplayPolicy, Settings},
    store::{CapPolicy, Durability, Policy, SessionCap},
};

/// How many sessions of a user a cap may allow.
const MAX_CAP: u32 = 1000;

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

    /// How long a session lives without a request. Default: one hour.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_idle_timeout(mut self, idle: Duration) -> Result<Self> {
        let idle = in_range("idle timeout", idle)?;
        self.settings.idle = [idle; crate::id::IdleClass::COUNT];
        Ok(self)
    }

    /// How long a session lives at most, whatever the activity. Default: 24 hours.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] outside of one millisecond to 400 days.
    pub fn with_absolute_timeout(mut self, absolute: Duration) -> Result<Self> {
        self.settings.absolute = in_range("absolute timeout", absolute)?;
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
