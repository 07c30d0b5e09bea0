//! What a new session begins with.

use std::collections::BTreeMap;

use super::state::{Intent, Pending, State, not_applicable};
use crate::{
    error::Result,
    record::{Change, Delta, Field, FieldName, Operation, Write},
};

/// What of a delta a new session begins with: there is nothing to remove and nobody to conflict with.
pub(super) fn first_values(delta: &Delta) -> Result<Delta> {
    let mut first = Delta::default();
    for (name, change) in &delta.changes {
        let value = match &change.write {
            Write::Set(value) => Some(value.clone()),
            Write::Remove => None,
            Write::Apply(operations) => {
                Operation::apply_all(operations, None).map_err(|_| not_applicable(name))?
            }
        };
        if let Some(value) = value {
            let change = Change { write: Write::Set(value), watched: None, secret: change.secret };
            first.changes.insert(name.clone(), change);
        }
    }
    Ok(first)
}

impl State {
    /// The first values of the session that a sign-in makes: what is carried over of the last fields
    /// of the one before, with this request's changes on top.
    pub(super) fn carry_over(&self, pending: &Pending, last: BTreeMap<FieldName, Field>) -> Result<Delta> {
        let Some(Intent::Login(login)) = &pending.intent else { return Ok(Delta::default()) };
        let delta = &pending.delta;
        let mut changes: BTreeMap<_, _> = last
            .into_iter()
            .filter(|(name, _)| !delta.clear && login.carry.takes(name.as_str()))
            .map(|(name, field)| {
                (name, Change { write: Write::Set(field.value), watched: None, secret: field.secret })
            })
            .collect();
        for (name, change) in &delta.changes {
            let mut change = change.clone();
            // Others may have changed it since this request loaded it.
            let mut value = match changes.get(name).map(|carried| &carried.write) {
                Some(Write::Set(value)) => Some(value.clone()),
                _ => None,
            };
            if let Write::Apply(operations) = &change.write {
                match Operation::apply_all(operations, value.as_ref()).map_err(|_| not_applicable(name))? {
                    Some(value) => change.write = Write::Set(value),
                    None => continue,
                }
            } else if let Some(replays) = self.replays.get(name) {
                let carried = pending.carried.get(name).copied().unwrap_or_default();
                for replay in replays.iter().take(carried) {
                    value = Some(replay(value.as_ref())?);
                }
                if let Some(value) = value {
                    change.write = Write::Set(value);
                }
            }
            changes.insert(name.clone(), change);
        }
        first_values(&Delta { clear: false, changes })
    }
}
