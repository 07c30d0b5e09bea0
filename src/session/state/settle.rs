//! What becomes of the changes when the store has answered.

use std::{collections::BTreeMap, time::Duration};

use super::{Intent, Pending, State};
use crate::{
    clock::Timestamp,
    error::Result,
    record::{
        Authentication, Base, Delta, Ended, FieldName, Image, Json, Operation, Record, Version, Write, merge,
    },
    store::{Commit, Policy},
};

impl State {
    /// Takes note that what `pending` carried is stored: `record` is the session from now on.
    pub(in crate::session) fn settle(&mut self, pending: &Pending, record: Option<Box<Record>>) {
        if let (Some(old), Some(new)) = (self.record.as_deref(), record.as_deref()) {
            // What the handler read of the old record may differ in the new one.
            // What this request cleared is gone by its own will.
            let ours = |name: &FieldName| pending.delta.clear || pending.delta.changes.contains_key(name);
            let newer = |name: &&FieldName| match &pending.intent {
                // A sign-in begins anew: what was not carried over was not seen either, and versions start
                // again.
                Some(Intent::Login(login)) => {
                    let carries = !pending.delta.clear && login.carry.takes(name.as_str());
                    let value = |record: &Record| record.fields.get(name.as_str()).map(|field| field.value);
                    value(old).filter(|_| carries) != value(new)
                }
                _ => old.fields.get(name.as_str()) != new.fields.get(name.as_str()),
            };
            let stale: Vec<_> = self.read.iter().filter(|name| newer(name) && !ours(name)).cloned().collect();
            self.stale.extend(stale);
        }
        self.record = record;
        self.done(pending);
    }

    /// The same where a plain commit was carried out on the very state that was loaded.
    pub(in crate::session) fn advance(
        &mut self,
        pending: &Pending,
        commit: &Commit,
        version: Version,
        at: Timestamp,
        image: Image,
    ) {
        if let Some(record) = &mut self.record {
            record.image = image;
            merge::apply(&mut record.fields, &commit.delta, version);
            record.base = Base { version, head: commit.event };
            let left = left(commit, record, at);
            dress(record, commit, at);
            record.loaded_at = at;
            record.expires_in = left.min(record.deadline.since(at));
        }
        self.done(pending);
    }

    fn done(&mut self, pending: &Pending) {
        self.pending = None;
        if pending.wipes == self.wipes {
            self.drop_carried(pending);
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

    /// A change made while the store was at work is not in `pending`, and stays. An `update` or an operation
    /// among them has seen the value before; it starts from the one that is stored now.
    fn drop_carried(&mut self, pending: &Pending) {
        self.delta.changes.retain(|name, change| pending.delta.changes.get(name) != Some(change));
        for (name, stored) in &pending.carried {
            if let Some(replays) = self.replays.get_mut(name) {
                replays.drain(..(*stored).min(replays.len()));
            } else if let Some(change) = self.delta.changes.get_mut(name)
                && let Write::Apply(operations) = &mut change.write
            {
                operations.drain(..(*stored).min(operations.len()));
            }
        }
        self.replays.retain(|name, replays| !replays.is_empty() && self.delta.changes.contains_key(name));
        self.shown.retain(|name, _| self.delta.changes.contains_key(name));
        if pending.delta.clear {
            self.delta.clear = false;
        }
    }

    /// How many replays or operations there are of each key.
    pub(in crate::session) fn counts(&self) -> BTreeMap<FieldName, usize> {
        let operations = self.delta.changes.iter().filter_map(|(name, change)| match &change.write {
            Write::Apply(operations) => Some((name.clone(), operations.len())),
            Write::Set(_) | Write::Remove => None,
        });
        let replays = self.replays.iter().map(|(name, replays)| (name.clone(), replays.len()));
        operations.chain(replays).collect()
    }

    /// Writes every key again that can be, from its value in `record`.
    fn replay_on(&mut self, record: &Record) -> Result<()> {
        let stored = |name: &FieldName| -> Option<Json> {
            let field = if self.delta.clear { None } else { record.fields.get(name.as_str()) };
            field.map(|field| field.value)
        };
        for (name, change) in &self.delta.changes {
            if let Write::Apply(operations) = &change.write
                && let Ok(value) = Operation::apply_all(operations, stored(name).as_ref())
            {
                self.shown.insert(name.clone(), value);
            }
        }
        for (name, replays) in &self.replays {
            let mut value = stored(name);
            for replay in replays {
                value = Some(replay(value.as_ref())?);
            }
            if let (Some(value), Some(change)) = (value, self.delta.changes.get_mut(name)) {
                change.write = Write::Set(value);
                change.watched = Some(record.fields.contains_key(name.as_str()));
            }
        }
        Ok(())
    }

    /// A session as the store answered it to `commit`, with what only this request knows: by which token it
    /// came, and how much time was left where the commit leaves that alone.
    pub(in crate::session) fn as_known(&self, commit: &Commit, answered: Record) -> Box<Record> {
        let before = self.record.as_deref();
        let left = before.map_or(commit.idle, |before| left(commit, before, answered.loaded_at));
        Box::new(Record {
            superseded: before.is_some_and(|record| record.superseded),
            expires_in: left.min(answered.deadline.since(answered.loaded_at)),
            ..answered
        })
    }

    /// Starts again from `current` after a conflict on `keys`, which others changed. True if every one
    /// of them can be written again from its newer value, and may be.
    ///
    /// # Errors
    ///
    /// Whatever the replayed closures fail with.
    pub(in crate::session) fn rebase(
        &mut self,
        keys: &[FieldName],
        current: Box<Record>,
        layer: Policy,
    ) -> Result<bool> {
        self.pending = None;
        let again = |name: &FieldName| {
            self.replays.contains_key(name) && self.policy_of(name, layer) != Policy::Strict
        };
        if !keys.iter().all(again) {
            return Ok(false);
        }
        self.replay_on(&current)?;
        for (name, change) in &mut self.delta.changes {
            if change.watched.is_some() {
                change.watched = Some(current.fields.contains_key(name.as_str()));
            }
        }
        self.adopt(current);
        Ok(true)
    }

    /// Goes on with `current`, which others made of the session.
    pub(in crate::session) fn adopt(&mut self, current: Box<Record>) {
        if let Some(old) = self.record.as_deref() {
            let newer =
                |name: &&FieldName| old.fields.get(name.as_str()) != current.fields.get(name.as_str());
            let stale: Vec<_> = self.read.iter().filter(newer).cloned().collect();
            self.stale.extend(stale);
        }
        self.record = Some(current);
    }

    /// The keys of `delta` that must be as this request loaded them and are not in `current`: compared by
    /// their values, for a base that the store can't place any more.
    pub(in crate::session) fn outdated_writes(&self, delta: &Delta, current: &Record) -> Vec<FieldName> {
        let loaded = self.record.as_deref();
        let value = |record: Option<&Record>, name: &FieldName| {
            record.and_then(|record| record.fields.get(name.as_str())).map(|field| field.value)
        };
        let watched = delta.changes.iter().filter(|(_, change)| change.watched.is_some());
        let differs = |name: &&FieldName| value(loaded, name) != value(Some(current), name);
        watched.map(|(name, _)| name).filter(differs).cloned().collect()
    }

    /// The session is no more, and neither is what was to be changed in it.
    pub(in crate::session) fn gone(&mut self, ended: Ended) {
        self.replace(Self::nothing(Some(ended)));
    }
}

/// How long the session would live from `at` on without a further request.
fn left(commit: &Commit, before: &Record, at: Timestamp) -> Duration {
    if commit.is_activity() {
        return commit.idle;
    }
    before.expires_in.saturating_sub(at.since(before.loaded_at))
}

/// What a commit changes besides keys.
pub(in crate::session) fn dress(record: &mut Record, commit: &Commit, at: Timestamp) {
    let renewal = commit.renewal.as_ref();
    record.address = renewal.map_or(commit.at, |renewal| renewal.to);
    if let Some(anew) = renewal.and_then(|renewal| renewal.anew.as_ref()) {
        record.authentication = Some(Authentication { at, method: anew.sign_in.method.clone() });
        record.deadline = at.plus(anew.absolute);
    }
}
