//! How a delta meets a session that changed since it was loaded.

use super::{Change, Delta, Field, FieldName, Fields, Json, NotApplicable, Operation, Version, Write};

/// The keys on which `delta` conflicts: those that the request read and wrote, and that somebody
/// changed or removed after `loaded`.
pub(crate) fn conflicts(fields: &Fields, delta: &Delta, loaded: Version) -> Vec<FieldName> {
    delta
        .changes
        .iter()
        .filter(|(name, change)| {
            change.watched.is_some_and(|present| match fields.get(name.as_str()) {
                Some(field) => field.version > loaded,
                None => present,
            })
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// The keys whose value is not what an operation of `delta` needs.
pub(crate) fn not_applicable(fields: &Fields, delta: &Delta) -> Vec<FieldName> {
    let fails = |(name, change): &(&FieldName, &Change)| match &change.write {
        Write::Apply(operations) => {
            Operation::apply_all(operations, before(fields, delta, name).as_ref()).is_err()
        }
        Write::Set(_) | Write::Remove => false,
    };
    delta.changes.iter().filter(fails).map(|(name, _)| name.clone()).collect()
}

/// The same delta with what its operations come to on `fields`.
pub(crate) fn resolved(fields: &Fields, delta: &Delta) -> Delta {
    let resolve = |(name, change): (&FieldName, &Change)| {
        let write = match &change.write {
            Write::Apply(operations) => {
                Operation::apply_all(operations, before(fields, delta, name).as_ref())
                    .ok()?
                    .map(Write::Set)?
            }
            write => write.clone(),
        };
        Some((name.clone(), Change { write, ..*change }))
    };
    Delta { clear: delta.clear, changes: delta.changes.iter().filter_map(resolve).collect() }
}

/// Applies `delta`, whose changes happen at `version`. An operation that fits no value is left out.
pub(crate) fn apply(fields: &mut Fields, delta: &Delta, version: Version) {
    if delta.clear {
        *fields = Fields::default();
    }
    for (name, change) in &delta.changes {
        let value = match &change.write {
            Write::Set(value) => Some(value.clone()),
            Write::Remove => None,
            Write::Apply(operations) => {
                let before = fields.get(name.as_str()).map(|field| field.value);
                match Operation::apply_all(operations, before.as_ref()) {
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
fn before(fields: &Fields, delta: &Delta, name: &FieldName) -> Option<Json> {
    if delta.clear { None } else { fields.get(name.as_str()).map(|field| field.value) }
}
