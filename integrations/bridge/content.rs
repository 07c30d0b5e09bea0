//! A whole record as fields, and back.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    error::{Error, ErrorKind, Result},
    record::{Change, Delta, Field, FieldName, Fields, Json, Write},
};

/// What the other library keeps beside the data, such as an expiry date.
pub(super) const META: &str = ":meta";

/// The keys that are no name of a field, or too many, in one JSON object.
pub(super) const REST: &str = ":rest";

/// So many keys get a field of their own. A script takes some thousand arguments at most.
const MAX_FIELDS: usize = 256;

/// A record of the other library.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Keys with a field of their own.
    plain: BTreeMap<FieldName, Json>,
    rest: BTreeMap<String, Box<RawValue>>,
    meta: Option<Json>,
}

/// The field for a key of the other library, if it can have one of its own.
pub(super) fn name(key: &str) -> Option<FieldName> {
    // Names with a colon in front are ours.
    if key.starts_with(':') { None } else { FieldName::new(key).ok() }
}

impl Content {
    /// A record with nothing in it yet. `meta` is JSON.
    pub(crate) fn new(meta: Option<String>) -> Self {
        Self { meta: meta.map(Json::from_text), ..Self::default() }
    }

    /// Adds a key: under a field of its own if `plain` is there and the key can have one, and as `rest`
    /// otherwise, which is the same value in a form that is always JSON.
    pub(crate) fn put(
        &mut self,
        key: &str,
        plain: Option<String>,
        rest: impl FnOnce() -> serde_json::Result<Box<RawValue>>,
    ) -> Result<()> {
        match (name(key), plain) {
            (Some(name), Some(value)) if self.plain.len() < MAX_FIELDS => {
                self.plain.insert(name, Json::from_text(value));
            }
            _ => {
                let value = rest().map_err(|error| Error::new(ErrorKind::Encode, error))?;
                self.rest.insert(key.to_owned(), value);
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        let plain = self.plain.iter().map(|(name, value)| name.as_str().len() + value.as_str().len());
        let rest = self.rest.iter().map(|(name, value)| name.len() + value.get().len());
        plain.sum::<usize>() + rest.sum::<usize>()
    }

    /// Reads what [`fields`](Self::fields) made.
    pub(super) fn from_fields(fields: &Fields) -> Result<Self> {
        let mut content = Self::default();
        for (name, field) in fields.iter() {
            match name.as_str() {
                META => content.meta = Some(field.value),
                REST => {
                    content.rest = serde_json::from_str(field.value.as_str()).map_err(|_| {
                        Error::msg(
                            ErrorKind::Decode,
                            "the keys of a session that share a field can't be read",
                        )
                    })?;
                }
                _ => {
                    content.plain.insert(name, field.value);
                }
            }
        }
        Ok(content)
    }

    /// The JSON beside the data.
    #[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
    pub(crate) fn meta(&self) -> Option<&str> {
        self.meta.as_ref().map(Json::as_str)
    }

    /// The keys with a field of their own, as JSON.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plain.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The others, as JSON.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rest.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    fn fields(&self) -> Result<BTreeMap<FieldName, Json>> {
        let mut fields = self.plain.clone();
        if let Some(meta) = &self.meta {
            fields.insert(FieldName::new(META)?, meta.clone());
        }
        if !self.rest.is_empty() {
            let rest = serde_json::to_string(&self.rest);
            let rest = rest.map_err(|error| Error::new(ErrorKind::Encode, error))?;
            fields.insert(FieldName::new(REST)?, Json::from_text(rest));
        }
        Ok(fields)
    }

    /// The change that makes `before` into this: no more than differs, so that the trail is readable.
    pub(super) fn delta(&self, before: &Fields, secret: impl Fn(&str) -> bool) -> Result<Delta> {
        let fields = self.fields()?;
        let change = |name: &FieldName, write| Change { write, watched: None, secret: secret(name.as_str()) };
        let gone = before.keys().filter(|name| !fields.contains_key(name));
        let mut changes: BTreeMap<_, _> = gone
            .map(|name| {
                let change = change(&name, Write::Remove);
                (name, change)
            })
            .collect();
        for (name, value) in &fields {
            let same = |field: Field| field.value == *value && (field.secret || !secret(name.as_str()));
            if !before.get(name.as_str()).is_some_and(same) {
                changes.insert(name.clone(), change(name, Write::Set(value.clone())));
            }
        }
        Ok(Delta { clear: false, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Version;

    fn content(keys: &[(&str, &str)]) -> Content {
        let mut content = Content::new(Some("\"meta\"".to_owned()));
        for (key, value) in keys {
            let raw = || RawValue::from_string((*value).to_owned());
            content.put(key, Some((*value).to_owned()), raw).unwrap();
        }
        content
    }

    fn stored(content: &Content) -> Fields {
        let field = |value| Field { version: Version::new(1), secret: false, value };
        content.fields().unwrap().into_iter().map(|(name, value)| (name, field(value))).collect()
    }

    fn all(content: &Content) -> BTreeMap<String, String> {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        content.plain().chain(content.rest()).map(owned).collect()
    }

    #[test]
    fn any_key_comes_back() {
        let long = "x".repeat(129);
        let keys =
            [("a", "1"), ("", "2"), (":meta", "3"), (":rest", "{}"), ("line\nbreak", "[]"), (&*long, "null")];
        let back = Content::from_fields(&stored(&content(&keys))).unwrap();
        assert_eq!(all(&back), keys.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(back.meta.unwrap().as_str(), "\"meta\"");
    }

    #[test]
    fn too_many_keys_share_a_field() {
        let names: Vec<_> = (0..5000).map(|n| format!("key {n}")).collect();
        let keys: Vec<_> = names.iter().map(|name| (&**name, "1")).collect();
        let many = content(&keys);
        assert_eq!(many.fields().unwrap().len(), MAX_FIELDS + 2);
        assert_eq!(all(&Content::from_fields(&stored(&many)).unwrap()).len(), 5000);
    }

    #[test]
    fn a_delta_names_what_differs() {
        let before = stored(&content(&[("same", "1"), ("other", "1"), ("gone", "1")]));
        let after = content(&[("same", "1"), ("other", "2"), ("new", "1")]);
        let delta = after.delta(&before, |_| false).unwrap();
        let names: Vec<_> = delta.changes.keys().map(FieldName::as_str).collect();
        assert_eq!(names, ["gone", "new", "other"]);
        assert!(after.delta(&stored(&after), |_| false).unwrap().is_empty());
        assert_eq!(after.delta(&stored(&after), |name| name == "new").unwrap().changes.len(), 1);
    }
}
