//! What a commit makes of the session if nobody was faster, worked out where it costs Redis nothing.

use std::borrow::Cow;

use super::layout::{After, Elsewhere, committed, is_small};
use crate::{
    record::{Change, Delta, FieldName, Json, Operation, Write, packed::Packed},
    store::Commit,
};

pub(super) struct Foreseen {
    /// What becomes of the field `p`.
    pub(super) after: After,
    /// What each change does to fields of their own.
    pub(super) elsewhere: Vec<Elsewhere>,
    /// What operations came to, and the trail may be told.
    pub(super) told: Vec<(FieldName, Json)>,
}

/// `None` where the script has to find it out: nothing is known of the session as it was loaded, or not enough.
pub(super) fn foreseen(commit: &Commit) -> Option<Foreseen> {
    if commit.renewal.is_some() || commit.delta.clear {
        return None;
    }
    let (image, base) = (&commit.image, commit.base);
    let packed = Packed::new(image.values(base)?.clone())?;
    let (delta, told) = if commit.delta.has_operations() {
        let (delta, told) = resolved(&packed, image.is_whole(), &commit.delta)?;
        (Cow::Owned(delta), told)
    } else {
        (Cow::Borrowed(&commit.delta), Vec::new())
    };
    let (after, elsewhere) = committed(&packed, &delta, base.version.next(), image.is_whole());
    Some(Foreseen { after, elsewhere, told })
}

/// The delta with what its operations come to. `None` where that is no small value, or is made of a value that may
/// have a field of its own, or can't be made: the script says so.
fn resolved(packed: &Packed, whole: bool, delta: &Delta) -> Option<(Delta, Vec<(FieldName, Json)>)> {
    let mut told = Vec::new();
    let mut changes = delta.changes.clone();
    for (name, change) in &mut changes {
        let Write::Apply(operations) = &change.write else { continue };
        let before = packed.get(name.as_str()).map(|field| field.value);
        if before.is_none() && !whole {
            return None;
        }
        let value = Operation::apply_all(operations, before.as_ref()).ok()?;
        if value.as_ref().is_some_and(|value| !is_small(value)) {
            return None;
        }
        if let (Some(value), false) = (&value, change.secret) {
            told.push((name.clone(), value.clone()));
        }
        *change = Change { write: value.map_or(Write::Remove, Write::Set), ..*change };
    }
    Some((Delta { clear: false, changes }, told))
}
