//! What a handler changes.

use super::{Intent, Replay, State};
use crate::{
    error::{Error, ErrorKind, Result},
    record::{Change, Delta, EndReason, FieldName, Json, NotApplicable, Operation, Write},
    session::{Limits, Login},
    store::Policy,
};

/// The key of a change: its checked name, and what was said about it where it was declared.
#[derive(Clone)]
pub(in crate::session) struct Target {
    pub(in crate::session) name: FieldName,
    pub(in crate::session) secret: bool,
    pub(in crate::session) policy: Option<Policy>,
}

impl State {
    pub(in crate::session) fn set(&mut self, target: Target, value: Json, limits: &Limits) -> Result<()> {
        self.check(&target.name, &value, limits)?;
        self.replays.remove(&target.name);
        let watched = self.watch(&target.name);
        self.change(target, Write::Set(value), watched);
        Ok(())
    }

    pub(in crate::session) fn remove(&mut self, name: FieldName) {
        // Removing what is not there changes nothing: it must not cost a commit on every request.
        if self.visible(name.as_str()).is_none() {
            return;
        }
        self.replays.remove(&name);
        let watched = self.watch(&name);
        self.change(Target { name, secret: false, policy: None }, Write::Remove, watched);
    }

    pub(in crate::session) fn update(
        &mut self,
        target: Target,
        replay: Replay,
        limits: &Limits,
    ) -> Result<()> {
        let name = &target.name;
        let value = replay(self.visible(name.as_str()).as_ref())?;
        self.check(name, &value, limits)?;
        let watched = match self.delta.changes.get(name) {
            // Behind a plain write there is nothing to run again: that write decides the value.
            Some(Change { write: Write::Set(_) | Write::Remove, .. }) if !self.replays.contains_key(name) => {
                self.watch(name)
            }
            change => {
                // Operations that came first are run again with it, in their order.
                let first: Vec<Replay> = match change {
                    Some(Change { write: Write::Apply(operations), .. }) => {
                        operations.iter().cloned().map(|operation| run(name.clone(), operation)).collect()
                    }
                    _ => Vec::new(),
                };
                let watched = Some(self.was_stored(name));
                let replays = self.replays.entry(name.clone()).or_default();
                replays.extend(first);
                replays.push(replay);
                watched
            }
        };
        self.change(target, Write::Set(value), watched);
        Ok(())
    }

    /// # Errors
    ///
    /// [`ErrorKind::NotApplicable`] where the value that this request sees is not what it needs.
    pub(in crate::session) fn operate(
        &mut self,
        target: Target,
        operation: Operation,
        limits: &Limits,
    ) -> Result<()> {
        let name = &target.name;
        let before = self.visible(name.as_str());
        if before.is_none() && matches!(operation, Operation::Discard(_)) {
            return Ok(());
        }
        let after = operation.apply(before.as_ref()).map_err(|_| not_applicable(name))?;
        if let Some(value) = &after {
            self.check(name, value, limits)?;
        }
        match (self.delta.changes.get(name), after) {
            // It is known what the value will be, or how to make it again.
            (Some(Change { write: Write::Set(_) | Write::Remove, .. }), Some(value)) => {
                let watched = self.delta.changes.get(name).and_then(|change| change.watched);
                if let Some(replays) = self.replays.get_mut(name) {
                    replays.push(run(name.clone(), operation));
                }
                self.change(target, Write::Set(value), watched);
            }
            (change, after) => {
                let mut operations = match change {
                    Some(Change { write: Write::Apply(operations), .. }) => operations.clone(),
                    _ => Vec::new(),
                };
                match (operations.last_mut(), &operation) {
                    // One addition is as good as two, unless the first is on its way.
                    (Some(Operation::Increment(sum)), Operation::Increment(by))
                        if self.pending.is_none() && sum.checked_add(*by).is_some() =>
                    {
                        *sum = sum.saturating_add(*by);
                    }
                    _ => operations.push(operation),
                }
                self.shown.insert(name.clone(), after);
                self.change(target, Write::Apply(operations), None);
            }
        }
        Ok(())
    }

    pub(in crate::session) fn clear(&mut self) {
        self.wipe();
        self.delta.clear = true;
        self.keep_first_factor();
    }

    pub(in crate::session) fn login(&mut self, mut login: Login) {
        self.delta.changes.retain(|name, _| login.carry.takes(name.as_str()));
        self.replays.retain(|name, _| login.carry.takes(name.as_str()));
        // A second sign-in carries over from what the first one would have left.
        if let Some(Intent::Login(first)) = self.intent.take() {
            login.carry = first.carry.and(login.carry);
        }
        self.intent = Some(Intent::Login(login));
    }

    pub(in crate::session) fn end(&mut self, reason: EndReason) {
        self.wipe();
        // What was read of the session that ends can't conflict with what follows it, nor keep it alive.
        self.read.clear();
        self.stale.clear();
        self.intent = None;
        self.ending = Some(reason);
    }

    /// Drops what a failed handler wanted, except that the session ends.
    pub(in crate::session) fn forget(&mut self) {
        // Most requests want nothing.
        if self.delta.is_empty() && self.intent.is_none() {
            return;
        }
        self.wipe();
        self.intent = None;
    }

    fn wipe(&mut self) {
        self.delta = Delta::default();
        self.replays.clear();
        self.shown.clear();
        self.wipes = self.wipes.wrapping_add(1);
    }

    fn check(&self, name: &FieldName, value: &Json, limits: &Limits) -> Result<()> {
        let (keys, bytes) = self.others(name);
        limits.check(name, value, keys, bytes)
    }

    fn change(&mut self, target: Target, write: Write, watched: Option<bool>) {
        let Target { name, secret, policy } = target;
        // Once secret, a value stays so, whichever key it was written by later.
        let secret = secret || self.is_secret(&name);
        if let Some(policy) = policy {
            self.policies.insert(name.clone(), policy);
        }
        self.delta.changes.insert(name, Change { write, watched, secret });
    }

    fn is_secret(&self, name: &FieldName) -> bool {
        let stored = self.record.as_deref().and_then(|record| record.fields.get(name.as_str()));
        self.delta.changes.get(name).is_some_and(|change| change.secret)
            || stored.is_some_and(|field| field.secret)
    }

    /// Whether a write of `name` must be checked against others' writes, and whether the key was there.
    fn watch(&self, name: &FieldName) -> Option<bool> {
        self.read.contains(name).then(|| self.was_stored(name))
    }
}

/// An operation as something that can be run again.
fn run(name: FieldName, operation: Operation) -> Replay {
    Box::new(move |value| match operation.apply(value) {
        Ok(Some(value)) => Ok(value),
        // Taken out of nothing: an empty array is as good.
        Ok(None) => Ok(Json::from_text("[]")),
        Err(NotApplicable) => Err(not_applicable(&name)),
    })
}

pub(in crate::session) fn not_applicable(name: &FieldName) -> Error {
    Error::msg(
        ErrorKind::NotApplicable,
        format!(
            "session key {name:?}: this operation needs a whole number within ±(2^53 - 1), or an array, and \
             what is stored is neither"
        ),
    )
}
