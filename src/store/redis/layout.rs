//! How the application's values stand in a session's hash: those that are small together in one field, so that a load
//! has one to find, send and parse instead of one for each; the others in fields of their own, so that a commit of one
//! leaves them alone.

use std::collections::BTreeSet;

use bytes::{Buf as _, Bytes};

use crate::record::{
    Delta, FieldName, Json, Version, Write,
    packed::{self, Packed},
};

/// The most bytes of JSON that are small. `scripts/meta.lua` has the same number.
const SMALL: u8 = 128;

/// The first byte of the field `p`.
const MARK: u8 = b'p';

/// A value as it is laid out.
pub(super) fn laid_out(name: &FieldName, value: &Json, version: Version, secret: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, name, value, version, secret);
    bytes
}

fn write(to: &mut Vec<u8>, name: &FieldName, value: &Json, version: Version, secret: bool) {
    packed::write(to, name, value, version, secret, SMALL);
}

/// Whether such a value stands with the others.
pub(super) fn is_small(value: &Json) -> bool {
    value.as_str().len() <= usize::from(SMALL)
}

/// What the field `p` holds. `None` where it is damaged.
pub(super) fn of_field(mut field: Bytes) -> Option<Packed> {
    if field.first() != Some(&MARK) {
        return None;
    }
    // Not by `slice`, which takes memory.
    field.advance(1);
    Packed::new(field)
}

/// What the field is when a delta without operations was committed on it, and what each of its changes does to the
/// field of its own that the key may have, as far as they do anything; there is none of these where the field is the
/// `whole`.
pub(super) fn committed(
    packed: &Packed,
    delta: &Delta,
    version: Version,
    whole: bool,
) -> (After, Vec<Elsewhere>) {
    let mut held = BTreeSet::new();
    let mut after = Vec::with_capacity(packed.as_bytes().len() + 256);
    after.push(MARK);
    // What stays is taken over in as few pieces as may be.
    let (before, mut taken) = (packed.as_bytes(), 0);
    for part in packed.parts() {
        if let Some((name, change)) = delta.changes.get_key_value(part.name().unwrap_or_default()) {
            let place = part.place();
            after.extend_from_slice(before.get(taken..place.start).unwrap_or_default());
            taken = place.end;
            held.insert(name);
            if let Write::Set(value) = &change.write
                && is_small(value)
            {
                write(&mut after, name, value, version, change.secret);
            }
        }
    }
    after.extend_from_slice(before.get(taken..).unwrap_or_default());
    let mut changed = !held.is_empty();
    let mut elsewhere = Vec::new();
    for (nth, (name, change)) in delta.changes.iter().enumerate() {
        let known = held.contains(name);
        let there = match &change.write {
            Write::Set(value) if !is_small(value) => Elsewhere::Set,
            // It stood here, or nowhere.
            _ if known || whole || change.watched == Some(false) => Elsewhere::Nothing,
            _ => Elsewhere::Remove,
        };
        // Most often there is none, and no list.
        if there != Elsewhere::Nothing {
            elsewhere.resize(nth, Elsewhere::Nothing);
            elsewhere.push(there);
        }
        if let (false, Write::Set(value)) = (known, &change.write)
            && is_small(value)
        {
            changed = true;
            write(&mut after, name, value, version, change.secret);
        }
    }
    (if changed { After::Becomes(after.into()) } else { After::Stays }, elsewhere)
}

/// What becomes of the field `p`.
pub(super) enum After {
    Stays,
    Becomes(Bytes),
}

/// What a change does to the field of its own that its key may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    Nothing,
    Set,
    Remove,
}

/// The fields of a session that begins with these values: their names and what they hold.
pub(super) fn fields<'a>(
    values: impl IntoIterator<Item = (&'a FieldName, &'a Json, Version, bool)>,
) -> Vec<(String, Vec<u8>)> {
    let (mut packed, mut fields) = (vec![MARK], Vec::new());
    for (name, value, version, secret) in values {
        if is_small(value) {
            write(&mut packed, name, value, version, secret);
        } else {
            fields.push((format!(".{name}"), laid_out(name, value, version, secret)));
        }
    }
    fields.push(("p".to_owned(), packed));
    fields
}
