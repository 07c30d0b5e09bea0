//! A session as Redis has it, for the next commit of whoever knows it: its [image](crate::record::Image).

use bytes::Bytes;

use super::{
    foreseen::Foreseen,
    heads::{Followed, Heads, Older, followed},
    layout::{self, After},
};
use crate::{
    clock::Timestamp,
    record::{Base, Image, packed::Packed},
};

/// What was loaded, or what a commit made of it.
pub(super) struct Kept {
    /// The state that it is of, and no other: a commit on another one must not be made from it.
    pub(super) base: Base,
    /// The epoch under which it is valid.
    pub(super) epoch: u64,
    /// When it ends, whatever its use.
    pub(super) deadline: Timestamp,
    /// The field `h`. Whatever changes a session changes this: as long as it stands there, all the rest does.
    pub(super) heads: Vec<u8>,
    /// The field `older`, where there is one, its time maybe an earlier one.
    pub(super) older: Option<Bytes>,
    /// The field `p`.
    pub(super) packed: Packed,
    /// Whether there are no other values, not even one that can't be read.
    pub(super) whole: bool,
    /// Redis' clock then, or before.
    pub(super) seen_at: Timestamp,
}

impl Kept {
    /// What the image of a session in this state is.
    pub(super) fn of(image: &Image, base: Base) -> Option<&Self> {
        image.get::<Self>().filter(|kept| kept.base == base)
    }

    /// What it remembers when the event of `next` has followed.
    pub(super) fn followed_by(&self, next: Base) -> Option<Followed> {
        let heads = Heads::parse(&self.heads)?;
        let older = match &self.older {
            Some(older) => Older::parse(older)?,
            None => Older::default(),
        };
        Some(followed(heads.recent, &older, next, self.seen_at))
    }

    /// What it is when this was committed.
    pub(super) fn after(&self, next: Base, foreseen: Foreseen) -> Option<Self> {
        let whole = self.whole && !foreseen.sets_elsewhere();
        let packed = match foreseen.after {
            After::Stays => self.packed.clone(),
            After::Becomes(field) => layout::of_field(field)?,
        };
        let older = match foreseen.events.older {
            // Redis has a later time there. By this one nothing is forgotten sooner.
            Some(tails) => Some(Older { added_at: self.seen_at, tails: &tails }.field().into()),
            None => self.older.clone(),
        };
        Some(Self { base: next, heads: foreseen.events.heads, older, packed, whole, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::EventId, record::Version};

    #[test]
    fn it_is_of_one_state_alone() {
        let base = |version, head| Base { version: Version::new(version), head };
        let (one, other) = (EventId::new(), EventId::new());
        let image = Image::new(Kept {
            base: base(1, one),
            epoch: 0,
            deadline: Timestamp::default(),
            heads: Vec::new(),
            older: None,
            packed: Packed::new(Bytes::new()).unwrap(),
            whole: true,
            seen_at: Timestamp::default(),
        });
        assert!(Kept::of(&image, base(1, one)).is_some());
        assert!(Kept::of(&image, base(2, one)).is_none());
        assert!(Kept::of(&image, base(1, other)).is_none(), "another history's version of the same number");
        assert!(Kept::of(&Image::default(), base(1, one)).is_none());
    }
}
