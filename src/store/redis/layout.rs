//! How the application's values stand in a session's hash: those that are small together in one field, so that a load
//! has one to find, send and parse instead of one for each; the others in fields of their own, so that a commit of one
//! leaves them alone.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::record::{Delta, Field, FieldName, Json, Version, Write};

/// The most bytes of JSON that are small. `scripts/meta.lua` has the same number.
const SMALL: usize = 128;

/// The highest bit of a value's first six bytes; the rest is its version.
pub(super) const SECRET: u8 = 0x80;

/// Version, length of the name, and length of the value or 0 where it has a field of its own.
const HEADER: usize = 8;

/// The first byte of the field `p`.
const MARK: u8 = b'p';

/// A value as it is laid out.
pub(super) fn laid_out(name: &FieldName, value: &Json, version: Version, secret: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + name.as_str().len() + value.as_str().len());
    write(&mut bytes, name, value, version, secret);
    bytes
}

fn write(to: &mut Vec<u8>, name: &FieldName, value: &Json, version: Version, secret: bool) {
    let [_, _, first, rest @ ..] = version.get().to_be_bytes();
    let (name, value) = (name.as_str().as_bytes(), value.as_str().as_bytes());
    to.push(if secret { first | SECRET } else { first });
    to.extend_from_slice(&rest);
    // A name has 128 bytes at most.
    to.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    to.push(u8::try_from(value.len()).ok().filter(|length| usize::from(*length) <= SMALL).unwrap_or(0));
    to.extend_from_slice(name);
    to.extend_from_slice(value);
}

fn is_small(value: &Json) -> bool {
    value.as_str().len() <= SMALL
}

/// A value's place in some bytes.
struct Part<'a> {
    name: &'a [u8],
    /// Where it begins, where its JSON does, and where it ends.
    begin: usize,
    json: usize,
    end: usize,
}

impl<'a> Part<'a> {
    /// The one that begins there; `None` where the bytes are no such thing.
    fn at(bytes: &'a [u8], begin: usize, own: bool) -> Option<Self> {
        let rest = bytes.get(begin..)?;
        let [.., name, value] = *rest.first_chunk::<HEADER>()?;
        let json = begin + HEADER + usize::from(name);
        let end = if own { bytes.len() } else { json + usize::from(value) };
        let name = bytes.get(begin + HEADER..json)?;
        (end <= bytes.len()).then_some(Self { name, begin, json, end })
    }

    fn read(&self, bytes: &Bytes) -> Option<(FieldName, Field)> {
        let name = FieldName::new(std::str::from_utf8(self.name).ok()?).ok()?;
        let [a, b, c, d, e, f] = *bytes.get(self.begin..)?.first_chunk::<6>()?;
        let version = Version::new(u64::from_be_bytes([0, 0, a & !SECRET, b, c, d, e, f]));
        // What is no text was not written by us. It stays a value that nobody can decode, under its key.
        let value =
            Json::from_bytes(bytes.slice(self.json..self.end)).unwrap_or_else(|| Json::from_text("\u{fffd}"));
        Some((name, Field { version, secret: a & SECRET != 0, value }))
    }
}

/// A value that has a field of its own, in the memory in which it came.
pub(super) fn own(field: Vec<u8>) -> Option<(FieldName, Field)> {
    let bytes = Bytes::from(field);
    Part::at(&bytes, 0, true)?.read(&bytes)
}

/// The field `p`, as it was loaded.
pub(super) struct Packed(Bytes);

impl Packed {
    /// Of the field as it is. `None` where it is damaged: nobody knows which values are lost.
    pub(super) fn of_field(field: impl Into<Bytes>) -> Option<Self> {
        let packed = Self(field.into());
        let end = packed.parts().last().map_or(1, |part| part.end);
        (packed.0.first() == Some(&MARK) && end == packed.0.len()).then_some(packed)
    }

    pub(super) fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Its values, in the memory in which they came.
    pub(super) fn read(&self) -> impl Iterator<Item = (FieldName, Field)> {
        self.parts().filter_map(|part| part.read(&self.0))
    }

    /// The value of this key, if it stands here.
    pub(super) fn get(&self, name: &FieldName) -> Option<Json> {
        let part = self.parts().find(|part| part.name == name.as_str().as_bytes())?;
        part.read(&self.0).map(|(_, field)| field.value)
    }

    /// Whether such a value stands here.
    pub(super) fn takes(value: &Json) -> bool {
        is_small(value)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut at = 1;
        std::iter::from_fn(move || {
            let part = Part::at(&self.0, at, false)?;
            at = part.end;
            Some(part)
        })
    }

    /// What the field is when a delta without operations was committed on it, and what each of its changes does to the
    /// field of its own that the key may have; there is none of these where the field is the `whole`.
    pub(super) fn with(&self, delta: &Delta, version: Version, whole: bool) -> (After, Vec<Elsewhere>) {
        let mut held = BTreeSet::new();
        let mut after = Vec::with_capacity(self.0.len() + 256);
        after.push(MARK);
        let mut changed = false;
        for part in self.parts() {
            let name = std::str::from_utf8(part.name).unwrap_or_default();
            match delta.changes.get_key_value(name) {
                None => after.extend_from_slice(self.0.get(part.begin..part.end).unwrap_or_default()),
                Some((name, change)) => {
                    changed = true;
                    held.insert(name);
                    if let Write::Set(value) = &change.write
                        && is_small(value)
                    {
                        write(&mut after, name, value, version, change.secret);
                    }
                }
            }
        }
        let mut elsewhere = Vec::with_capacity(delta.changes.len());
        for (name, change) in &delta.changes {
            let known = held.contains(name);
            elsewhere.push(match &change.write {
                Write::Set(value) if !is_small(value) => Elsewhere::Set,
                // It stood here, or nowhere.
                _ if known || whole || change.watched == Some(false) => Elsewhere::Nothing,
                _ => Elsewhere::Remove,
            });
            if let (false, Write::Set(value)) = (known, &change.write)
                && is_small(value)
            {
                changed = true;
                write(&mut after, name, value, version, change.secret);
            }
        }
        (if changed { After::Becomes(after) } else { After::Stays }, elsewhere)
    }
}

/// What becomes of the field `p`.
pub(super) enum After {
    Stays,
    Becomes(Vec<u8>),
}

/// What a change does to the field of its own that its key may have.
#[derive(Clone, Copy)]
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
