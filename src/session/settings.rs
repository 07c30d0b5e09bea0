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
    pub(crate) idle: [Duration; IdleClass::COUNT],
    pub(crate) absolute: Duration,
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

impl Settings {
    pub(crate) fn idle(&self, class: IdleClass) -> Duration {
        self.idle.get(usize::from(class.index())).copied().unwrap_or(Self::IDLE)
    }

    /// One hour: NIST SP 800-63B-4 allows it at AAL2.
    const IDLE: Duration = Duration::from_secs(60 * 60);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle: [Self::IDLE; IdleClass::COUNT],
            // NIST SP 800-63B-4: at most 24 hours at AAL2.
            absolute: Duration::from_secs(24 * 60 * 60),
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
    pub(crate) fn token_for(&self, user: Option<&str>) -> Result<Token> {
        let shards = self.store.shards();
        let shard = match user {
            Some(user) => shards.of_user(user),
            None => shards.random(self.random)?,
        };
        self.token_on(shard, IdleClass::default())
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
