//! What is done to one value.

use serde_json::{Value, json};

/// One step's effect on one key. All but the first two are done to whatever is stored when it is committed.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Set(Value),
    Remove,
    Increment(i64),
    Max(i64),
    /// The last three stay.
    Push(u64),
    Add(u64),
    Discard(u64),
}

impl Effect {
    fn on(&self, value: Option<Value>) -> Option<Value> {
        let number = || value.as_ref().and_then(Value::as_i64);
        let list = || value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        Some(match self {
            Self::Set(value) => value.clone(),
            Self::Remove => return None,
            Self::Increment(by) => json!(number().unwrap_or(0) + by),
            Self::Max(least) => json!(number().map_or(*least, |number| number.max(*least))),
            Self::Push(element) => {
                let mut list = list();
                list.push(json!(element));
                let surplus = list.len().saturating_sub(3);
                json!(list.split_off(surplus))
            }
            Self::Add(element) => {
                let mut list = list();
                if !list.contains(&json!(element)) {
                    list.push(json!(element));
                }
                json!(list)
            }
            Self::Discard(_) if value.is_none() => return None,
            Self::Discard(element) => {
                let mut list = list();
                list.retain(|other| *other != json!(element));
                json!(list)
            }
        })
    }
}

pub(crate) fn apply(effects: &[Effect], value: Option<Value>) -> Option<Value> {
    effects.iter().fold(value, |value, effect| effect.on(value))
}

/// Whether these make a value regardless of the one that is stored.
pub(crate) fn blind(effects: &[Effect]) -> bool {
    matches!(effects.first(), Some(Effect::Set(_) | Effect::Remove))
}
