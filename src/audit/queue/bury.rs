//! Moving what PostgreSQL refuses to the dead letters.

use super::{AuditQueue, Waiting, read::with_same};
use crate::error::Error;

/// How much of an error's text a dead letter keeps, in bytes.
pub(in crate::audit) const MAX_ERROR: usize = 500;

const BURY: &str = with_same!("scripts/bury.lua");

impl AuditQueue {
    /// Moves an entry to its shard's dead letters; `false` where it had left the stream already.
    pub(in crate::audit) async fn bury(
        &self,
        index: usize,
        entry: &Waiting,
        error: &str,
        attempts: u32,
    ) -> Result<bool, Error> {
        let keys = self.keys(index)?;
        let mut eval = redis::cmd("EVAL");
        eval.arg(BURY).arg(3);
        eval.arg(&keys.stream).arg(&keys.dead).arg(&keys.tries);
        eval.arg(entry.id.to_string()).arg(&entry.version).arg(&entry.predecessor).arg(&entry.payload);
        eval.arg(entry.origin().to_string())
            .arg(shorten(error, MAX_ERROR))
            .arg(attempts)
            .arg(entry.beginning());
        self.connection.query(&eval).await
    }
}

/// The beginning of a text, at most `max` bytes, without cutting a character.
pub(in crate::audit) fn shorten(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn no_character_is_cut() {
        assert_eq!(shorten("añb", 2), "a");
        assert_eq!(shorten("añb", 3), "añ");
        assert_eq!(shorten("añb", 9), "añb");
    }
}
