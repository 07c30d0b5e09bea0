//! Shards whose Redis does not answer.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::backoff::{Backoff, random};
use crate::error::Error;

/// On a cluster one master may be away while the others work: its shards are left alone for a while, longer
/// each time, so that the others need not wait for its time-outs.
#[derive(Debug, Default)]
pub(super) struct Cooling(BTreeMap<usize, (Backoff, Instant)>);

impl Cooling {
    /// Whether to leave this shard alone.
    pub(super) fn skips(&self, shard: usize, now: Instant) -> bool {
        self.0.get(&shard).is_some_and(|(_, until)| now < *until)
    }

    pub(super) fn answered(&mut self, shard: usize) {
        self.0.remove(&shard);
    }

    pub(super) fn silent(&mut self, shards: Vec<(usize, Error)>) {
        let Some((shard, error)) = shards.first() else { return };
        tracing::warn!(shard, shards = shards.len(), %error, "Redis did not do as the audit writer asked");
        let now = Instant::now();
        for (shard, _) in shards {
            let (backoff, until) = self.0.entry(shard).or_insert((Backoff::DEFAULT, now));
            *until = now + backoff.next(random());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_silent_shard_is_skipped_for_five_seconds_at_most_and_the_others_are_not() {
        let mut cooling = Cooling::default();
        for _ in 0..20 {
            cooling.silent(vec![(1, Error::msg(ErrorKind::Unavailable, "no answer"))]);
        }
        let now = Instant::now();
        assert!(!cooling.skips(0, now));
        assert!(!cooling.skips(1, now + Backoff::CAP));
        cooling.answered(1);
        assert!(!cooling.skips(1, now));
    }
}
