//! What a `text` column takes.

use std::borrow::Cow;

use crate::audit::queue::shorten;

/// How many bytes of a text go into a column.
pub(super) const MAX_COLUMN: usize = 512;

/// How many bytes of a user id go into its column, which is indexed: a b-tree refuses what is above 2,704
/// bytes (54000).
pub(super) const MAX_USER: usize = 1024;

/// A user's id as its column holds it.
pub(in crate::audit) fn clean_user(user: &str) -> Cow<'_, str> {
    clean(user, MAX_USER)
}

/// The text without NUL, which PostgreSQL has in no text, and at most `max` bytes long.
pub(super) fn clean(text: &str, max: usize) -> Cow<'_, str> {
    let text = match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{FFFD}")),
        false => Cow::Borrowed(text),
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(shorten(text, max)),
        Cow::Owned(text) => Cow::Owned(shorten(&text, max).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nul_is_shown_and_length_is_kept_in_bounds() {
        assert_eq!(clean("alice", 512), "alice");
        assert_eq!(clean("a\0b", 512), "a\u{FFFD}b");
        assert_eq!(clean("ééé", 3), "é");
    }

    proptest! {
        #[test]
        fn every_text_fits_afterwards(text in any::<String>(), max in 0..64_usize) {
            let cleaned = clean(&text, max);
            prop_assert!(cleaned.len() <= max && !cleaned.contains('\0'));
        }
    }
}
