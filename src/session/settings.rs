//! What a session needs of its surroundings.

use std::{fmt, time::Duration};

use super::{Limits, ListedAddress, ReplayPolicy};
use crate::{
    error::Result,
    id::{IdleClass, Shard, Token},
    store::{Durability, ErasedStore, Policy, SessionCap, SessionStore},
};

/// How sessions live and what they may hold.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ordinary: Lifetime,
    pub(crate) remembered: Lifetime,
    /// How long a second factor is waited for; no request prolongs it.
    pub(crate) pending: Duration,
    pub(crate) grace: Duration,
    pub(crate) remember: Duration,
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
    pub(crate) replay: Duration,
    pub(crate) on_replay: ReplayPolicy,
    /// How often something that stays open looks whether its session is still there.
    pub(crate) recheck: Duration,
    pub(crate) durability: Durability,
    pub(crate) cap: Option<SessionCap>,
    pub(crate) listed_address: ListedAddress,
}

/// The two timeouts of a kind of session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// Without a request.
    pub(crate) idle: Duration,
    /// Whatever the activity.
    pub(crate) absolute: Duration,
}

impl Settings {
    pub(crate) fn idle(&self, class: IdleClass) -> Duration {
        self.lifetime(class).idle
    }

    pub(crate) fn absolute(&self, class: IdleClass) -> Duration {
        self.lifetime(class).absolute
    }

    fn lifetime(&self, class: IdleClass) -> Lifetime {
        match class {
            IdleClass::REMEMBERED => self.remembered,
            IdleClass::PENDING => Lifetime { idle: self.pending, absolute: self.pending },
            _ => self.ordinary,
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            // NIST SP 800-63B-4, 2.2.3: one hour and 24 hours are what AAL2 asks for at most.
            ordinary: Lifetime { idle: HOUR, absolute: DAY },
            // 2.1.3: at AAL1, 30 days at most and no limit to inactivity. Two weeks unused are an abandoned
            // device.
            remembered: Lifetime { idle: DAY.saturating_mul(14), absolute: DAY.saturating_mul(30) },
            // 3.1.3: an out-of-band secret is good for ten minutes at most.
            pending: Duration::from_secs(10 * 60),
            grace: Duration::from_secs(60),
            remember: crate::store::REMEMBER,
            limits: Limits::default(),
            policy: Policy::default(),
            replay: Duration::from_secs(1),
            on_replay: ReplayPolicy::default(),
            recheck: Duration::from_secs(15),
            durability: Durability::Fast,
            cap: None,
            listed_address: ListedAddress::default(),
        }
    }
}

/// The store and the settings, shared by all sessions of a layer.
pub(crate) struct Engine {
    pub(crate) store: Box<dyn ErasedStore>,
    pub(crate) settings: Settings,
    pub(crate) random: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

impl Engine {
    pub(crate) fn new(store: impl SessionStore, settings: Settings) -> Self {
        Self { store: Box::new(store), settings, random: crate::id::system_random }
    }

    /// A token for a new session: on its user's shard, or on any where nobody is signed in.
    pub(crate) fn token_for(&self, user: Option<&str>, class: IdleClass) -> Result<Token> {
        let shards = self.store.shards();
        let shard = match user {
            Some(user) => shards.of_user(user),
            None => shards.random(self.random)?,
        };
        self.token_on(shard, class)
    }

    pub(crate) fn token_on(&self, shard: Shard, class: IdleClass) -> Result<Token> {
        Token::generate(shard, class, self.random)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}
