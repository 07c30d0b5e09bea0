//! What a commit makes of the session if nobody was faster, worked out where it costs Redis nothing.

use std::borrow::Cow;

use super::{
    heads::Followed,
    kept::Kept,
    layout::{After, Elsewhere, committed, is_small},
};
use crate::{
    record::{Base, Change, Delta, FieldName, Json, Operation, Write, packed::Packed},
    store::Commit,
};

pub(super) struct Foreseen {
    /// What becomes of the events that are remembered.
    pub(super) events: Followed,
    /// What becomes of the field `p`.
    pub(super) after: After,
    /// What each change does to fields of their own.
    pub(super) elsewhere: Vec<Elsewhere>,
    /// What operations came to, and the trail may be told.
    pub(super) told: Vec<(FieldName, Json)>,
}

impl Foreseen {
    /// Whether some values have fields of their own then.
    pub(super) fn sets_elsewhere(&self) -> bool {
        self.elsewhere.contains(&Elsewhere::Set)
    }

    /// Whether anything but `h` and `p` becomes another, or `p` does not.
    pub(super) fn is_uncommon(&self) -> bool {
        let stays = matches!(self.after, After::Stays);
        stays || self.events.older.is_some() || self.elsewhere.iter().any(|one| *one != Elsewhere::Nothing)
    }
}

/// What becomes of `kept`, the session as it was loaded, and leads to the state `next`. `None` where the script has to
/// find it out: not enough is known.
pub(super) fn foreseen(commit: &Commit, kept: &Kept, next: Base) -> Option<Foreseen> {
    if commit.renewal.is_some() || commit.delta.clear {
        return None;
    }
    let (delta, told) = if commit.delta.has_operations() {
        let (delta, told) = resolved(&kept.packed, kept.whole, &commit.delta)?;
        (Cow::Owned(delta), told)
    } else {
        (Cow::Borrowed(&commit.delta), Vec::new())
    };
    let (after, elsewhere) = committed(&kept.packed, &delta, next.version, kept.whole);
    Some(Foreseen { events: kept.followed_by(next)?, after, elsewhere, told })
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
