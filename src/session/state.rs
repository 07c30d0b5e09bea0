//! A session while a request works on it. No I/O: what was loaded, what was changed, what is wanted.
//!
//! `write` has the changes, `settle` what becomes of them when the store has answered.

mod settle;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

pub(super) use settle::dress;
pub(super) use write::{Target, not_applicable};

use super::{Login, commit::Job, key::is_reserved};
use crate::{
    error::{Error, ErrorKind, Result},
    id::Token,
    record::{Change, Delta, EndReason, Ended, FieldName, Json, Record, Write},
    store::{Confirm, Durability, Policy, TooFew},
};

/// Makes a key's value from the one before; runs again when that one turns out to be outdated.
pub(super) type Replay = Box<dyn Fn(Option<&Json>) -> Result<Json> + Send>;

#[derive(Default)]
pub(crate) struct State {
    /// False until something was asked of the store, where the cookie gives a reason to ask.
    pub(super) loaded: bool,
    /// The session as the store answered it, or as this request made it.
    pub(super) record: Option<Box<Record>>,
    /// What became of the session that the cookie names.
    pub(super) ended: Option<Ended>,
    pub(super) delta: Delta,
    /// What the operations of `delta` come to on the stored value, for the handler to see.
    shown: BTreeMap<FieldName, Option<Json>>,
    /// For keys that were only ever written by `update`: how to write them again.
    pub(super) replays: BTreeMap<FieldName, Vec<Replay>>,
    /// How often all changes were dropped at once: what was sent before that is none of the changes now.
    wipes: u32,
    /// Keys whose stored value the handler has seen.
    read: BTreeSet<FieldName>,
    /// Those of them that others have changed since, as an earlier `save` learnt.
    stale: BTreeSet<FieldName>,
    /// What the handler wants instead of the layer's policy, for the whole session and for single keys.
    pub(super) policy: Option<Policy>,
    policies: BTreeMap<FieldName, Policy>,
    /// The loaded session shall end. What is wanted beyond that begins anew.
    pub(super) ending: Option<EndReason>,
    pub(super) intent: Option<Intent>,
    /// A change under way: it is asked for again, under the same id, until an answer is there.
    pub(super) pending: Option<Arc<Pending>>,
    /// What the handler wants of all that it changes, instead of the layer's durability.
    pub(super) durability: Option<Durability>,
    /// Changes that were made, and that replicas must have before they are answered.
    pub(super) unconfirmed: Vec<(Confirm, TooFew)>,
    pub(super) cookie: CookieAction,
    /// Whether the response depends on the session.
    pub(super) accessed: bool,
    /// The response head has left.
    pub(super) closed: bool,
}

/// What shall become of the session itself, if it does not end.
#[derive(Clone, Debug)]
pub(super) enum Intent {
    Login(Login),
    /// By which method the user proved it again.
    Reauthenticate(Option<String>),
    Renew,
}

/// What was sent to the store, and what of the state it carries.
pub(super) struct Pending {
    pub(super) job: Job,
    pub(super) delta: Delta,
    /// How many replays or operations of each key it carries: more may be added while the store is at work.
    pub(super) carried: BTreeMap<FieldName, usize>,
    pub(super) wipes: u32,
    pub(super) ending: Option<EndReason>,
    pub(super) intent: Option<Intent>,
    pub(super) since: Instant,
    /// What `take` gets if the store says yes.
    pub(super) taking: Option<(FieldName, Json)>,
}

/// What the response does to the client's cookie.
#[derive(Clone, Debug, Default)]
pub(crate) enum CookieAction {
    #[default]
    Keep,
    /// This token was proved to be current, and its session lives so long at most.
    Issue(Token, Duration),
    Remove,
}

impl State {
    pub(super) fn found(record: Box<Record>) -> Self {
        Self { loaded: true, record: Some(record), ..Self::default() }
    }

    pub(super) fn nothing(ended: Option<Ended>) -> Self {
        Self { loaded: true, ended, ..Self::default() }
    }

    /// Starts again from `fresh`, which the store just answered. What the response owes stays.
    pub(super) fn replace(&mut self, fresh: Self) {
        let cookie = std::mem::take(&mut self.cookie);
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        let (accessed, closed, policy, durability) =
            (self.accessed, self.closed, self.policy, self.durability);
        *self = Self { cookie, unconfirmed, accessed, closed, policy, durability, ..fresh };
    }

    /// Every access goes through here: it marks the response as depending on the session.
    pub(super) fn open(&mut self) -> Result<&mut Self> {
        self.accessed = true;
        if self.loaded { Ok(self) } else { Err(Error::msg(ErrorKind::NotLoaded, NOT_LOADED)) }
    }

    pub(super) fn open_to_write(&mut self) -> Result<&mut Self> {
        if self.closed {
            return Err(Error::msg(
                ErrorKind::AfterCommit,
                "the response head has left, so the layer will not commit this change: \
                 write to `session.detach()` and call `save().await` on it",
            ));
        }
        self.open()
    }

    /// The stored value that this request would see, its own changes left aside.
    fn stored(&self, name: &str) -> Option<Json> {
        let record = self.record.as_deref().filter(|_| self.inherits(name))?;
        record.fields.get(name).map(|field| field.value)
    }

    /// Whether this request would see a stored value of that key.
    fn inherits(&self, name: &str) -> bool {
        if self.delta.clear || self.ending.is_some() || is_reserved(name) {
            return false;
        }
        match &self.intent {
            None | Some(Intent::Renew | Intent::Reauthenticate(_)) => true,
            Some(Intent::Login(login)) => login.carry.takes(name),
        }
    }

    fn visible(&self, name: &str) -> Option<Json> {
        if is_reserved(name) {
            return None;
        }
        match self.delta.changes.get(name) {
            Some(Change { write: Write::Set(value), .. }) => Some(value.clone()),
            Some(Change { write: Write::Remove, .. }) => None,
            Some(Change { write: Write::Apply(_), .. }) => self.shown.get(name)?.clone(),
            None => self.stored(name),
        }
    }

    pub(super) fn read(&mut self, name: &str) -> Option<Json> {
        let value = self.visible(name);
        // What this request wrote itself tells it nothing about others, unless it is made of what they wrote.
        let derived = match self.delta.changes.get(name) {
            None | Some(Change { write: Write::Apply(_), .. }) => true,
            Some(_) => self.replays.contains_key(name),
        };
        if derived && let Ok(name) = FieldName::new(name) {
            self.stale.remove(&name);
            self.read.insert(name);
        }
        value
    }

    /// The names that a handler sees, in order.
    pub(super) fn names(&self) -> Vec<FieldName> {
        let stored = self.record.iter().flat_map(|record| record.fields.keys());
        let mut names: BTreeSet<_> = stored.chain(self.delta.changes.keys().cloned()).collect();
        names.retain(|name| self.visible(name.as_str()).is_some());
        names.into_iter().collect()
    }

    /// Everything that the session holds besides `name`: how many keys, and how many bytes.
    fn others(&self, name: &FieldName) -> (usize, usize) {
        let stored = self.record.iter().flat_map(|record| record.fields.sizes());
        let stored =
            stored.filter(|(name, _)| self.inherits(name) && !self.delta.changes.contains_key(*name));
        let changed = self.delta.changes.keys().map(FieldName::as_str);
        let changed = changed.filter_map(|name| Some((name, self.visible(name)?.as_str().len())));
        let others = stored.chain(changed).filter(|(other, _)| *other != name.as_str());
        others.fold((0, 0), |(count, bytes), (name, size)| (count + 1, bytes + name.len() + size))
    }

    fn was_stored(&self, name: &FieldName) -> bool {
        self.record.as_deref().is_some_and(|record| record.fields.contains_key(name.as_str()))
    }

    /// What the response says, and no more writes.
    pub(super) fn close(&mut self) -> (CookieAction, bool) {
        self.closed = true;
        (std::mem::take(&mut self.cookie), self.accessed)
    }

    pub(super) fn wipes(&self) -> u32 {
        self.wipes
    }

    pub(super) fn wants_commit(&self, delta_too: bool) -> bool {
        self.pending.is_some()
            || !self.unconfirmed.is_empty()
            || self.ending.is_some()
            || (delta_too && (self.intent.is_some() || !self.is_unchanged()))
    }

    /// Whether a commit would change no key.
    pub(super) fn is_unchanged(&self) -> bool {
        self.delta.is_empty() || (self.record.is_none() && self.names().is_empty())
    }

    /// What wins on this key, where the layer says `layer`.
    fn policy_of(&self, name: &FieldName, layer: Policy) -> Policy {
        self.policies.get(name).copied().or(self.policy).unwrap_or(layer)
    }

    /// The changes as they are sent, with what must be checked about each, and the policy for them all.
    ///
    /// A strict policy of the layer or the handler is about the session's version; one of a key about that
    /// key. Operations never conflict, whatever the policy.
    pub(super) fn guarded(&self, layer: Policy) -> (Delta, Policy) {
        let mut delta = self.delta.clone();
        for (name, change) in &mut delta.changes {
            match self.policy_of(name, layer) {
                _ if matches!(change.write, Write::Apply(_)) => change.watched = None,
                Policy::Merge => {}
                Policy::Strict => change.watched = Some(self.was_stored(name)),
                Policy::LastWriteWins => change.watched = None,
            }
        }
        let strict = self.policy.unwrap_or(layer) == Policy::Strict;
        let concerned = |(name, change): (&FieldName, &Change)| {
            !self.policies.contains_key(name) && !matches!(change.write, Write::Apply(_))
        };
        let strict = strict && (delta.clear || delta.changes.iter().any(concerned));
        (delta, if strict { Policy::Strict } else { Policy::Merge })
    }

    /// Keys that were read before others changed them and written afterwards: a conflict already.
    pub(super) fn stale_writes(&self, layer: Policy) -> Vec<FieldName> {
        let stale = |(name, change): &(&FieldName, &Change)| {
            change.watched.is_some()
                && self.stale.contains(*name)
                && !self.replays.contains_key(*name)
                && self.policy_of(name, layer) != Policy::LastWriteWins
        };
        self.delta.changes.iter().filter(stale).map(|(name, _)| name.clone()).collect()
    }
}

const NOT_LOADED: &str =
    "the session was not loaded: with lazy loading, call `session.load().await` first (an extractor does)";

#[cfg(test)]
mod tests;
