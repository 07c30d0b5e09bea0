//! Whose events.

use super::{EventPosition, SessionEvent};
use crate::id::{Address, SessionRef, Shard, ShardCount};

/// Which events to be told of. Made by [`all`](Self::all), [`user`](Self::user) or [`session`](Self::session).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub(crate) whose: Whose,
    pub(crate) since: Option<EventPosition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    All,
    User(String),
    Session(Address),
}

impl Watch {
    /// Every event of the namespace: for an administrator's page. Each instance that watches all listens to
    /// every shard.
    pub const fn all() -> Self {
        Self { whose: Whose::All, since: None }
    }

    /// The events of a user's sessions.
    pub fn user(user: impl Into<String>) -> Self {
        Self { whose: Whose::User(user.into()), since: None }
    }

    /// The events of one session, also when it is renewed, until it ends.
    pub const fn session(at: Address) -> Self {
        Self { whose: Whose::Session(at), since: None }
    }

    /// Begins behind this event instead of now, as far as the log goes back: for a reader that was away, such as
    /// a browser that names its `Last-Event-ID`.
    ///
    /// Where that place can't be found, it begins now, with [`Notice::Missed`](super::Notice::Missed): if the event was
    /// another shard's, as another user's are, and with [`all`](Self::all), whose shards have an order each.
    #[must_use]
    pub fn since(mut self, position: Option<EventPosition>) -> Self {
        self.since = position;
        self
    }

    /// The shards whose events these are.
    pub(crate) fn shards(&self, shards: ShardCount) -> Vec<Shard> {
        match &self.whose {
            Whose::All => shards.iter().collect(),
            Whose::User(user) => vec![shards.of_user(user)],
            Whose::Session(at) => vec![at.shard],
        }
    }

    /// Whether there is a place to begin at, and none of these shards has it.
    pub(crate) fn is_elsewhere(&self, shards: &[Shard]) -> bool {
        self.since.is_some() && shards.iter().all(|shard| self.since_on(*shard).is_none())
    }

    /// Where on this shard to begin, if not now.
    pub(crate) fn since_on(&self, shard: Shard) -> Option<EventPosition> {
        self.since.filter(|since| since.shard() == shard && self.whose != Whose::All)
    }
}

/// What is left of a watch on one shard, and what a renewal has made of it.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    All,
    User(String),
    Session(SessionRef),
}

impl Filter {
    pub(crate) fn of(watch: &Watch) -> Self {
        match &watch.whose {
            Whose::All => Self::All,
            Whose::User(user) => Self::User(user.clone()),
            Whose::Session(at) => Self::Session(at.reference),
        }
    }

    pub(crate) fn takes(&mut self, event: &SessionEvent) -> bool {
        // What is about no session is about all: the epoch.
        let Some(session) = &event.session else { return true };
        match self {
            Self::All => true,
            Self::User(user) => event.user.as_ref() == Some(user),
            Self::Session(reference) => {
                let mine = session == reference;
                if let (true, Some(successor)) = (mine, event.successor) {
                    *reference = successor;
                }
                mine
            }
        }
    }
}
