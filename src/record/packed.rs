//! Values as a store keeps and sends them: those that are small one behind the other in one piece of memory, the others
//! each in one of its own.
//!
//! Of each: six bytes of version, whose highest bit says that it is a secret; the length of its name, and that of its
//! JSON, a byte each; name and JSON.

#[cfg(feature = "redis")]
use std::ops::Range;

use bytes::Bytes;

#[cfg(feature = "redis")]
use super::FieldName;
use super::{Field, Json, Version};

/// The highest bit of a value's first six bytes; the rest is its version.
pub(crate) const SECRET: u8 = 0x80;

/// Version, length of the name, length of the value.
const HEADER: usize = 8;

/// Values as they came, which are looked at when somebody asks for one.
#[derive(Clone, Default)]
pub(crate) struct Packed(Bytes);

impl Packed {
    /// `None` where the bytes are damaged: nobody knows which values are lost.
    #[cfg(feature = "redis")]
    pub(crate) fn new(bytes: Bytes) -> Option<Self> {
        let packed = Self(bytes);
        let end = packed.parts().last().map_or(0, |part| part.end);
        (end == packed.0.len()).then_some(packed)
    }

    #[cfg(feature = "redis")]
    pub(crate) fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The value of this key.
    #[cfg(feature = "redis")]
    pub(crate) fn get(&self, name: &str) -> Option<Field> {
        self.parts().find(|part| part.is_of(name))?.field()
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let part = Part::at(&self.0, at)?;
            at = part.end;
            Some(part)
        })
    }
}

/// A value too long for its length to be told by a byte, as it came.
#[derive(Clone)]
pub(crate) struct Alone(Bytes);

impl Alone {
    /// `None` where the bytes are no value.
    #[cfg(feature = "redis")]
    pub(crate) fn new(bytes: Bytes) -> Option<Self> {
        Part::header(&bytes, 0)?;
        Some(Self(bytes))
    }

    pub(crate) fn part(&self) -> Option<Part<'_>> {
        let (name, _, json) = Part::header(&self.0, 0)?;
        Some(Part { of: &self.0, name, begin: 0, json, end: self.0.len() })
    }
}

/// A value's place.
pub(crate) struct Part<'a> {
    of: &'a Bytes,
    name: &'a [u8],
    /// Where it begins, where its JSON does, and where it ends.
    begin: usize,
    json: usize,
    end: usize,
}

impl<'a> Part<'a> {
    /// The one that begins there; `None` where the bytes are no such thing.
    fn at(of: &'a Bytes, begin: usize) -> Option<Self> {
        let (name, value, json) = Self::header(of, begin)?;
        let end = json + value;
        (end <= of.len()).then_some(Self { of, name, begin, json, end })
    }

    /// The name, the length of the JSON, and where that begins.
    fn header(of: &'a Bytes, begin: usize) -> Option<(&'a [u8], usize, usize)> {
        let [.., name, value] = *of.get(begin..)?.first_chunk::<HEADER>()?;
        let json = begin + HEADER + usize::from(name);
        Some((of.get(begin + HEADER..json)?, usize::from(value), json))
    }

    /// From where to where it is.
    #[cfg(feature = "redis")]
    pub(crate) fn place(&self) -> Range<usize> {
        self.begin..self.end
    }

    /// How many bytes its JSON has.
    pub(crate) fn size(&self) -> usize {
        self.end - self.json
    }

    /// Whether it is the value of this key.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }

    /// Its name. `None` where that is no text, which was not written by us.
    pub(crate) fn name(&self) -> Option<&'a str> {
        std::str::from_utf8(self.name).ok()
    }

    /// The value, in the memory in which it came.
    pub(crate) fn field(&self) -> Option<Field> {
        let [a, b, c, d, e, f] = *self.of.get(self.begin..)?.first_chunk::<6>()?;
        let version = Version::new(u64::from_be_bytes([0, 0, a & !SECRET, b, c, d, e, f]));
        // What is no text was not written by us, either. It stays a value that nobody can decode, under its key.
        let value = Json::from_bytes(self.of.slice(self.json..self.end))
            .unwrap_or_else(|| Json::from_text("\u{fffd}"));
        Some(Field { version, secret: a & SECRET != 0, value })
    }
}

/// Adds a value. One of more than `longest` bytes says 0 for its length: it must stand alone.
#[cfg(feature = "redis")]
pub(crate) fn write(
    to: &mut Vec<u8>,
    name: &FieldName,
    value: &Json,
    version: Version,
    secret: bool,
    longest: u8,
) {
    let [_, _, first, rest @ ..] = version.get().to_be_bytes();
    let (name, value) = (name.as_str().as_bytes(), value.as_str().as_bytes());
    to.reserve(HEADER + name.len() + value.len());
    to.push(if secret { first | SECRET } else { first });
    to.extend_from_slice(&rest);
    // A name has 128 bytes at most.
    to.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    to.push(u8::try_from(value.len()).ok().filter(|length| *length <= longest).unwrap_or(0));
    to.extend_from_slice(name);
    to.extend_from_slice(value);
}
