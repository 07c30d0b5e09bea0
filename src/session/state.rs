//! A session while a request works on it. No I/O: what was loaded, what was changed, what is wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Limits, Login, commit::Job};
use crate::{
    error::{Error, ErrorKind, Result},
    id::Token,
    record::{Base, Change, Delta, EndReason, Ended, FieldName, Json, Record, Version, Write, merge},
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
    /// For keys that were only ever written by `update`: how to write them again.
    pub(super) replays: BTreeMap<FieldName, Vec<Replay>>,
    /// Keys whose stored value the handler has seen.
    read: BTreeSet<FieldName>,
    /// Those of them that others have changed since, as an earlier `save` learnt.
    stale: BTreeSet<FieldName>,
    /// The loaded session shall end. What is wanted beyond that begins anew.
    pub(super) ending: Option<EndReason>,
    pub(super) intent: Option<Intent>,
    /// A change under way: it is asked for again, under the same id, until an answer is there.
    pub(super) pending: Option<Pending>,
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
    Renew,
}

/// What was sent to the store, and what of the state it carries.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) job: std::sync::Arc<Job>,
    pub(super) delta: Delta,
    /// How many replays of each key it carries: more may be added while the store is at work.
    pub(super) replayed: BTreeMap<FieldName, usize>,
    pub(super) ending: Option<EndReason>,
    pub(super) intent: Option<Intent>,
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
        *self = Self { cookie, accessed: self.accessed, closed: self.closed, ..fresh };
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
    fn stored(&self, name: &str) -> Option<&Json> {
        let inherits = |name: &FieldName| match &self.intent {
            None | Some(Intent::Renew) => true,
            Some(Intent::Login(login)) => login.carry.takes(name),
        };
        if self.delta.clear || self.ending.is_some() {
            return None;
        }
        let (name, field) = self.record.as_deref()?.fields.get_key_value(name)?;
        inherits(name).then_some(&field.value)
    }

    fn visible(&self, name: &str) -> Option<&Json> {
        match self.delta.changes.get(name) {
            Some(Change { write: Write::Set(value), .. }) => Some(value),
            Some(Change { write: Write::Remove, .. }) => None,
            None => self.stored(name),
        }
    }

    pub(super) fn read(&mut self, name: &str) -> Option<Json> {
        let value = self.visible(name).cloned();
        // What this request wrote itself tells it nothing about others.
        if !self.delta.changes.contains_key(name)
            && let Ok(name) = FieldName::new(name)
        {
            self.stale.remove(&name);
            self.read.insert(name);
        }
        value
    }

    /// The names that a handler sees, in order.
    pub(super) fn names(&self) -> Vec<FieldName> {
        let stored = self.record.iter().flat_map(|record| record.fields.keys());
        let mut names: BTreeSet<_> = stored.chain(self.delta.changes.keys()).cloned().collect();
        names.retain(|name| self.visible(name.as_str()).is_some());
        names.into_iter().collect()
    }

    /// Everything that the session holds besides `name`: how many keys, and how many bytes.
    fn others(&self, name: &FieldName) -> (usize, usize) {
        let sizes = self.names().into_iter().filter(|other| other != name).filter_map(|other| {
            let value = self.visible(other.as_str())?;
            Some(other.as_str().len() + value.as_str().len())
        });
        sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
    }

    fn was_stored(&self, name: &FieldName) -> bool {
        self.record.as_deref().is_some_and(|record| record.fields.contains_key(name))
    }

    pub(super) fn set(&mut self, name: FieldName, value: Json, secret: bool, limits: &Limits) -> Result<()> {
        let (keys, bytes) = self.others(&name);
        limits.check(&name, &value, keys, bytes)?;
        self.replays.remove(&name);
        let watched = self.watch(&name);
        self.change(name, Write::Set(value), watched, secret);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: FieldName) {
        // Removing what is not there changes nothing: it must not cost a commit on every request.
        if self.visible(name.as_str()).is_none() {
            return;
        }
        self.replays.remove(&name);
        let watched = self.watch(&name);
        let secret = self.is_secret(&name);
        self.change(name, Write::Remove, watched, secret);
    }

    pub(super) fn update(
        &mut self,
        name: FieldName,
        replay: Replay,
        secret: bool,
        limits: &Limits,
    ) -> Result<()> {
        let value = replay(self.visible(name.as_str()))?;
        let (keys, bytes) = self.others(&name);
        limits.check(&name, &value, keys, bytes)?;
        match self.delta.changes.get(&name) {
            // Behind a plain write there is nothing to run again: that write decides the value.
            Some(_) if !self.replays.contains_key(&name) => {
                let watched = self.watch(&name);
                self.change(name, Write::Set(value), watched, secret);
            }
            _ => {
                let watched = Some(self.was_stored(&name));
                self.replays.entry(name.clone()).or_default().push(replay);
                self.change(name, Write::Set(value), watched, secret);
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.delta = Delta { clear: true, ..Delta::default() };
        self.replays.clear();
    }

    fn change(&mut self, name: FieldName, write: Write, watched: Option<bool>, secret: bool) {
        // Once secret, a value stays so, whichever key it was written by later.
        let secret = secret || self.is_secret(&name);
        self.delta.changes.insert(name, Change { write, watched, secret });
    }

    fn is_secret(&self, name: &FieldName) -> bool {
        self.delta.changes.get(name).is_some_and(|change| change.secret)
            || self
                .record
                .as_deref()
                .and_then(|record| record.fields.get(name))
                .is_some_and(|field| field.secret)
    }

    /// Whether a write of `name` must be checked against others' writes, and whether the key was there.
    fn watch(&self, name: &FieldName) -> Option<bool> {
        self.read.contains(name).then(|| self.was_stored(name))
    }

    /// Keys that were read before others changed them and written afterwards: a conflict already.
    pub(super) fn stale_writes(&self) -> Vec<FieldName> {
        let stale = |(name, change): &(&FieldName, &Change)| {
            change.watched.is_some() && self.stale.contains(*name) && !self.replays.contains_key(*name)
        };
        self.delta.changes.iter().filter(stale).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn login(&mut self, login: Login) {
        self.delta.changes.retain(|name, _| login.carry.takes(name));
        self.replays.retain(|name, _| login.carry.takes(name));
        self.intent = Some(Intent::Login(login));
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        self.delta = Delta::default();
        self.replays.clear();
        self.intent = None;
        self.ending = Some(reason);
    }

    /// Drops what a failed handler wanted, except that the session ends.
    pub(super) fn forget(&mut self) {
        self.delta = Delta::default();
        self.replays.clear();
        self.intent = None;
    }

    pub(super) fn wants_commit(&self, delta_too: bool) -> bool {
        self.pending.is_some()
            || self.ending.is_some()
            || (delta_too && (self.intent.is_some() || !self.is_unchanged()))
    }

    /// Whether a commit would change no key.
    pub(super) fn is_unchanged(&self) -> bool {
        self.delta.is_empty() || (self.record.is_none() && self.names().is_empty())
    }

    /// Takes note that what `pending` carried is stored: `record` is the session from now on.
    pub(super) fn settle(&mut self, pending: &Pending, record: Option<Box<Record>>) {
        self.pending = None;
        if let (Some(old), Some(new)) = (self.record.as_deref(), record.as_deref()) {
            // What the handler read of the old record may differ in the new one.
            let newer = |name: &&FieldName| old.fields.get(*name) != new.fields.get(*name);
            let ours = |name: &&FieldName| pending.delta.changes.contains_key(*name);
            let stale: Vec<_> = self.read.iter().filter(|name| newer(name) && !ours(name)).cloned().collect();
            self.stale.extend(stale);
        }
        self.record = record;
        // A change made while the store was at work is not in `pending`, and stays. An `update` among
        // them has seen the value before; it starts from the one that is stored now.
        self.delta.changes.retain(|name, change| pending.delta.changes.get(name) != Some(change));
        for (name, stored) in &pending.replayed {
            if let Some(replays) = self.replays.get_mut(name) {
                replays.drain(..(*stored).min(replays.len()));
            }
        }
        self.replays.retain(|name, replays| !replays.is_empty() && self.delta.changes.contains_key(name));
        if pending.delta.clear {
            self.delta.clear = false;
        }
        if pending.ending.is_some() {
            self.ending = None;
        }
        if pending.intent.is_some() {
            self.intent = None;
        }
        if let Some(record) = self.record.take() {
            // Where a closure can't read what is stored, the value that it made before stands.
            let _ = self.replay_on(&record);
            self.record = Some(record);
        }
    }

    /// How many replays there are of each key.
    pub(super) fn replay_counts(&self) -> BTreeMap<FieldName, usize> {
        self.replays.iter().map(|(name, replays)| (name.clone(), replays.len())).collect()
    }

    /// Writes every key again that can be, from its value in `record`.
    fn replay_on(&mut self, record: &Record) -> Result<()> {
        for (name, replays) in &self.replays {
            let stored = if self.delta.clear { None } else { record.fields.get(name) };
            let mut value = stored.map(|field| field.value.clone());
            for replay in replays {
                value = Some(replay(value.as_ref())?);
            }
            if let (Some(value), Some(change)) = (value, self.delta.changes.get_mut(name)) {
                change.write = Write::Set(value);
                change.watched = Some(record.fields.contains_key(name));
            }
        }
        Ok(())
    }

    /// The record that a plain commit of `delta` made.
    pub(super) fn advanced(
        &self,
        version: Version,
        head: crate::id::EventId,
        delta: &Delta,
    ) -> Option<Box<Record>> {
        let mut record = self.record.clone()?;
        merge::apply(&mut record.fields, delta, version);
        record.base = Base { version, head };
        Some(record)
    }

    /// Starts again from `current` after a conflict on `keys`, which others changed. True if every one
    /// of them can be written again from its newer value.
    ///
    /// # Errors
    ///
    /// Whatever the replayed closures fail with.
    pub(super) fn rebase(&mut self, keys: &[FieldName], current: Box<Record>) -> Result<bool> {
        self.pending = None;
        if keys.is_empty() || !keys.iter().all(|name| self.replays.contains_key(name)) {
            return Ok(false);
        }
        self.replay_on(&current)?;
        for (name, change) in &mut self.delta.changes {
            if change.watched.is_some() {
                change.watched = Some(current.fields.contains_key(name));
            }
        }
        if let Some(old) = self.record.as_deref() {
            let changed = self.read.iter().filter(|name| old.fields.get(*name) != current.fields.get(*name));
            self.stale.extend(changed.cloned());
        }
        self.record = Some(current);
        Ok(true)
    }

    /// The session is no more, and neither is what was to be changed in it.
    pub(super) fn gone(&mut self, ended: Ended) {
        self.replace(Self::nothing(Some(ended)));
    }
}

const NOT_LOADED: &str =
    "the session was not loaded: with lazy loading, call `session.load().await` first (an extractor does)";

#[cfg(test)]
mod tests;
