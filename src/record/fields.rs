//! A session's values.

use std::{collections::BTreeMap, fmt};

use super::{
    Field, FieldName,
    packed::{Alone, Packed, Part},
};

/// The application's keys and their values, in the order of their names.
///
/// Whoever makes one collects it. What a store answered may still be in the memory in which it came: a value is looked
/// at when it is asked for, and so costs a request nothing that has no use for it. That is why [`get`](Self::get) gives
/// a value of its own, whose JSON is shared and never copied.
///
/// ```
/// use cloakroom::record::{Field, FieldName, Fields, Json, Version};
///
/// let cart = Field { version: Version::new(1), secret: false, value: Json::from_text("[7]") };
/// let fields = Fields::from_iter([(FieldName::new("cart")?, cart)]);
/// assert_eq!(fields.get("cart").unwrap().value.as_str(), "[7]");
/// assert!(fields.get("theme").is_none());
/// # Ok::<(), cloakroom::error::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    /// As a store sent them: those that came together.
    packed: Packed,
    /// And each of the others.
    alone: Vec<Alone>,
    /// What is to be said instead of those, and beside them: `None` for one that is gone.
    over: BTreeMap<FieldName, Option<Field>>,
}

impl Fields {
    /// These values, each under a key of its own.
    #[cfg(feature = "redis")]
    pub(crate) fn of(packed: Packed, alone: Vec<Alone>) -> Self {
        Self { packed, alone, over: BTreeMap::new() }
    }

    /// What a store sent.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.packed.parts().chain(self.alone.iter().filter_map(Alone::part))
    }

    fn sent(&self, name: &str) -> Option<Part<'_>> {
        self.parts().find(|part| part.is_of(name))
    }

    /// The value of this key.
    pub fn get(&self, name: &str) -> Option<Field> {
        match self.over.get(name) {
            Some(field) => field.clone(),
            None => self.sent(name)?.field(),
        }
    }

    /// Whether there is a value under this key.
    pub fn contains_key(&self, name: &str) -> bool {
        match self.over.get(name) {
            Some(field) => field.is_some(),
            None => self.sent(name).is_some(),
        }
    }

    /// Puts a value under this key, in place of the one that was there.
    pub fn insert(&mut self, name: FieldName, field: Field) {
        self.over.insert(name, Some(field));
    }

    /// Removes the value under this key, if there is one.
    pub fn remove(&mut self, name: &FieldName) {
        if self.sent(name.as_str()).is_some() {
            self.over.insert(name.clone(), None);
        } else {
            self.over.remove(name);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sizes().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sizes().next().is_none()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (FieldName, Field)> {
        self.to_map().into_iter()
    }

    /// Their names.
    pub fn keys(&self) -> impl Iterator<Item = FieldName> {
        self.iter().map(|(name, _)| name)
    }

    /// All of them, in a map.
    pub fn to_map(&self) -> BTreeMap<FieldName, Field> {
        let sent = self.parts().filter_map(|part| {
            let name = part.name()?;
            let shown = !self.over.contains_key(name);
            Some((FieldName::new(name).ok().filter(|_| shown)?, part.field()?))
        });
        let over = self.over.iter().filter_map(|(name, field)| Some((name.clone(), field.clone()?)));
        sent.chain(over).collect()
    }

    /// The name of each and how many bytes its JSON has, in no order.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        let sent = self.parts().filter_map(|part| Some((part.name()?, part.size())));
        let sent = sent.filter(|(name, _)| !self.over.contains_key(*name));
        let size = |field: &Field| field.value.as_str().len();
        let over = self.over.iter();
        sent.chain(over.filter_map(move |(name, field)| Some((name.as_str(), size(field.as_ref()?)))))
    }
}

impl FromIterator<(FieldName, Field)> for Fields {
    fn from_iter<I: IntoIterator<Item = (FieldName, Field)>>(fields: I) -> Self {
        let over = fields.into_iter().map(|(name, field)| (name, Some(field))).collect();
        Self { over, ..Self::default() }
    }
}

/// By what they are, however they are kept.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.to_map() == other.to_map()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Json, Version, packed};

    fn name(name: u8) -> FieldName {
        FieldName::new(&format!("key {name}")).unwrap()
    }

    fn field(version: u64) -> Field {
        Field {
            version: Version::new(version),
            secret: version.is_multiple_of(3),
            value: Json::from_text(version.to_string()),
        }
    }

    fn packed(fields: &BTreeMap<FieldName, Field>) -> Packed {
        let mut bytes = Vec::new();
        for (name, field) in fields {
            packed::write(&mut bytes, name, &field.value, field.version, field.secret, 128);
        }
        Packed::new(bytes.into()).unwrap()
    }

    /// As large ones come, whatever their size.
    fn alone(fields: &BTreeMap<FieldName, Field>) -> Vec<Alone> {
        let alone = fields.iter().map(|(name, field)| {
            let mut bytes = Vec::new();
            packed::write(&mut bytes, name, &field.value, field.version, field.secret, 0);
            Alone::new(bytes.into()).unwrap()
        });
        alone.collect()
    }

    fn assert_same(fields: &Fields, map: &BTreeMap<FieldName, Field>) {
        assert_eq!(fields.to_map(), *map);
        assert_eq!(*fields, Fields::from_iter(map.clone()));
        assert_eq!((fields.len(), fields.is_empty()), (map.len(), map.is_empty()));
        assert!(fields.keys().eq(map.keys().cloned()));
        for name in (0..10).map(name) {
            assert_eq!(fields.get(name.as_str()), map.get(&name).cloned());
            assert_eq!(fields.contains_key(name.as_str()), map.contains_key(&name));
        }
        let sizes: BTreeMap<_, _> = fields.sizes().collect();
        assert!(
            sizes.into_iter().eq(map.iter().map(|(name, field)| (name.as_str(), field.value.as_str().len())))
        );
    }

    proptest! {
        /// Against a plain map, with some values as a store sends them and some beside these.
        #[test]
        fn they_are_a_map(
            first in prop::collection::btree_map((0_u8..10).prop_map(name), (0_u64..1000).prop_map(field), 0..8),
            beside in prop::collection::btree_map((10_u8..14).prop_map(name), (0_u64..1000).prop_map(field), 0..3),
            changes in prop::collection::vec(((0_u8..14).prop_map(name), prop::option::of((0_u64..1000).prop_map(field))), 0..12),
        ) {
            let mut map = first.clone();
            map.extend(beside.clone());
            let mut fields = Fields::of(packed(&first), alone(&beside));
            assert_same(&fields, &map);
            for (name, change) in changes {
                match change {
                    Some(field) => {
                        fields.insert(name.clone(), field.clone());
                        map.insert(name, field);
                    }
                    None => {
                        fields.remove(&name);
                        map.remove(&name);
                    }
                }
                assert_same(&fields, &map);
            }
        }
    }

    #[test]
    fn bytes_that_are_cut_are_refused() {
        let whole = packed(&[(name(1), field(1)), (name(2), field(2))].into()).as_bytes().clone();
        let one = packed(&[(name(1), field(1))].into()).as_bytes().len();
        for end in 0..=whole.len() {
            let taken = Packed::new(whole.slice(..end)).is_some();
            assert_eq!(taken, [0, one, whole.len()].contains(&end), "{end} of {}", whole.len());
        }
    }

    #[test]
    fn bytes_without_a_whole_name_are_no_value() {
        let mut whole = Vec::new();
        packed::write(&mut whole, &name(1), &Json::from_text("7"), Version::new(1), false, 0);
        for end in 0..=whole.len() {
            let taken = Alone::new(Bytes::copy_from_slice(&whole[..end]));
            assert_eq!(taken.is_some(), end >= whole.len() - 1, "{end}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let field = Field { value: Json::from_text("\"hunter2\""), ..field(1) };
        assert!(!format!("{:?}", Fields::from_iter([(name(1), field)])).contains("hunter2"));
    }
}
