//! What a new session begins with.

use std::collections::BTreeMap;

use super::state::{Intent, Pending, State};
use crate::{
    error::Result,
    record::{Change, Delta, Field, FieldName, Write},
};

/// What of a delta a new session begins with: there is nothing to remove and nobody to conflict with.
pub(super) fn first_values(delta: &Delta) -> Delta {
    let set = |(_, change): &(&FieldName, &Change)| matches!(change.write, Write::Set(_));
    let changes = delta.changes.iter().filter(set);
    Delta {
        clear: false,
        changes: changes
            .map(|(name, change)| (name.clone(), Change { watched: None, ..change.clone() }))
            .collect(),
    }
}

impl State {
    /// The first values of the session that a sign-in makes: what is carried over of the last fields
    /// of the one before, with this request's changes on top.
    pub(super) fn carry_over(&self, pending: &Pending, last: BTreeMap<FieldName, Field>) -> Result<Delta> {
        let Some(Intent::Login(login)) = &pending.intent else { return Ok(Delta::default()) };
        let delta = &pending.delta;
        let mut changes: BTreeMap<_, _> = last
            .into_iter()
            .filter(|(name, _)| !delta.clear && login.carry.takes(name))
            .map(|(name, field)| {
                (name, Change { write: Write::Set(field.value), watched: None, secret: field.secret })
            })
            .collect();
        for (name, change) in &delta.changes {
            let mut change = change.clone();
            if let Some(replays) = self.replays.get(name) {
                // Others may have changed it since this request loaded it.
                let mut value = match changes.get(name).map(|carried| &carried.write) {
                    Some(Write::Set(value)) => Some(value.clone()),
                    _ => None,
                };
                let carried = pending.replayed.get(name).copied().unwrap_or_default();
                for replay in replays.iter().take(carried) {
                    value = Some(replay(value.as_ref())?);
                }
                if let Some(value) = value {
                    change.write = Write::Set(value);
                }
            }
            changes.insert(name.clone(), change);
        }
        Ok(first_values(&Delta { clear: false, changes }))
    }
}
