//! How a delta meets a session that changed since it was loaded.

use std::collections::BTreeMap;

use super::{Change, Delta, Field, FieldName, Json, NotApplicable, Operation, Version, Write};

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

/// The keys whose value is not what an operation of `delta` needs.
pub(crate) fn not_applicable(fields: &BTreeMap<FieldName, Field>, delta: &Delta) -> Vec<FieldName> {
    let fails = |(name, change): &(&FieldName, &Change)| match &change.write {
        Write::Apply(operations) => Operation::apply_all(operations, before(fields, delta, name)).is_err(),
        Write::Set(_) | Write::Remove => false,
    };
    delta.changes.iter().filter(fails).map(|(name, _)| name.clone()).collect()
}

/// The same delta with what its operations come to on `fields`.
pub(crate) fn resolved(fields: &BTreeMap<FieldName, Field>, delta: &Delta) -> Delta {
    let resolve = |(name, change): (&FieldName, &Change)| {
        let write = match &change.write {
            Write::Apply(operations) => {
                Operation::apply_all(operations, before(fields, delta, name)).ok()?.map(Write::Set)?
            }
            write => write.clone(),
        };
        Some((name.clone(), Change { write, ..*change }))
    };
    Delta { clear: delta.clear, changes: delta.changes.iter().filter_map(resolve).collect() }
}

/// Applies `delta`, whose changes happen at `version`. An operation that fits no value is left out.
pub(crate) fn apply(fields: &mut BTreeMap<FieldName, Field>, delta: &Delta, version: Version) {
    if delta.clear {
        fields.clear();
    }
    for (name, change) in &delta.changes {
        let value = match &change.write {
            Write::Set(value) => Some(value.clone()),
            Write::Remove => None,
            Write::Apply(operations) => {
                let before = fields.get(name).map(|field| &field.value);
                match Operation::apply_all(operations, before) {
                    Ok(value) => value,
                    Err(NotApplicable) => continue,
                }
            }
        };
        match value {
            Some(value) => {
                fields.insert(name.clone(), Field { version, secret: change.secret, value });
            }
            None => {
                fields.remove(name);
            }
        }
    }
}

/// The value that an operation starts from.
fn before<'a>(fields: &'a BTreeMap<FieldName, Field>, delta: &Delta, name: &FieldName) -> Option<&'a Json> {
    if delta.clear { None } else { fields.get(name).map(|field| &field.value) }
}
