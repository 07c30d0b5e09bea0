//! How a delta meets a session that changed since it was loaded.

use std::collections::BTreeMap;

use super::{Delta, Field, FieldName, Version, Write};

/// The keys on which `delta` conflicts: those that the request read and wrote, and that somebody
/// changed or removed after `loaded`.
pub(crate) fn conflicts(
    fields: &BTreeMap<FieldName, Field>,
    delta: &Delta,
    loaded: Version,
) -> Vec<FieldName> {
    delta
        .changes
        .iter()
        .filter(|(name, change)| {
            change.watched.is_some_and(|present| match fields.get(*name) {
                Some(field) => field.version > loaded,
                None => present,
            })
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Applies `delta`, whose changes happen at `version`.
pub(crate) fn apply(fields: &mut BTreeMap<FieldName, Field>, delta: &Delta, version: Version) {
    if delta.clear {
        fields.clear();
    }
    for (name, change) in &delta.changes {
        match &change.write {
            Write::Set(value) => {
                let field = Field { version, secret: change.secret, value: value.clone() };
                fields.insert(name.clone(), field);
            }
            Write::Remove => {
                fields.remove(name);
            }
        }
    }
}
