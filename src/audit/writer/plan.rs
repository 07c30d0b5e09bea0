//! How much to read, and from where.

use std::collections::BTreeMap;

/// About this many bytes of payload go into one statement, however few rows that is.
const MAX_BYTES: u64 = 4 << 20;

/// How many rows the next batch may have: fewer after an overload, and more again with each success.
#[derive(Debug)]
pub(super) struct BatchSize {
    max: u64,
    now: u64,
    /// A moving average of an entry's size in bytes.
    entry: u64,
}

impl BatchSize {
    pub(super) const fn new(max: u64) -> Self {
        Self { max, now: max, entry: 300 }
    }

    pub(super) fn limit(&self) -> u64 {
        self.now.min(MAX_BYTES / self.entry.max(1)).max(1)
    }

    pub(super) fn stored(&mut self) {
        self.now = (self.now + self.max / 10 + 1).min(self.max);
    }

    pub(super) fn overloaded(&mut self) {
        self.now = (self.now / 2).max(1);
    }

    pub(super) fn read(&mut self, entries: usize, bytes: usize) {
        if let Some(mean) = bytes.checked_div(entries) {
            let mean = u64::try_from(mean).unwrap_or(u64::MAX);
            // Quick to believe in larger entries, slow to forget them.
            self.entry = mean.max((self.entry * 7).saturating_add(mean) / 8);
        }
    }
}

/// What is known of the streams' lengths, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lengths: BTreeMap<usize, u64>,
    turn: usize,
}

impl Backlog {
    /// Notes what was counted, and what was not counted as empty.
    pub(super) fn counted(&mut self, lengths: BTreeMap<usize, u64>) {
        self.lengths = lengths;
    }

    /// How much each shard gives to a batch of `limit` rows: the shards take turns, so that one with a
    /// long queue does not hold up the others. What is given is no longer in the backlog.
    pub(super) fn allot(&mut self, limit: u64, available: impl Fn(usize, u64) -> u64) -> Vec<(usize, u64)> {
        let mut left = limit;
        let mut allotted = Vec::new();
        let turn = self.turn;
        let order: Vec<usize> =
            self.lengths.range(turn..).chain(self.lengths.range(..turn)).map(|(shard, _)| *shard).collect();
        for shard in order {
            let Some(length) = self.lengths.get_mut(&shard) else { continue };
            let share = available(shard, *length).min(left);
            if share > 0 {
                *length = length.saturating_sub(share);
                left -= share;
                allotted.push((shard, share));
                self.turn = shard + 1;
            }
            if left == 0 {
                break;
            }
        }
        allotted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_turns() {
        let mut backlog = Backlog::default();
        backlog.counted(BTreeMap::from([(0, 1000), (1, 3), (2, 0), (3, 40)]));
        let all = |_, length| length;
        assert_eq!(backlog.allot(500, all), [(0, 500)]);
        assert_eq!(backlog.allot(500, all), [(1, 3), (3, 40), (0, 457)]);
        assert_eq!(backlog.allot(500, all), [(0, 43)]);
        assert_eq!(backlog.allot(500, all), []);
    }

    #[test]
    fn a_batch_shrinks_after_an_overload_and_with_large_entries() {
        let mut size = BatchSize::new(500);
        size.overloaded();
        assert_eq!(size.limit(), 250);
        (0..5).for_each(|_| size.stored());
        assert_eq!(size.limit(), 500);
        (0..20).for_each(|_| size.overloaded());
        assert_eq!(size.limit(), 1);
        (0..20).for_each(|_| size.stored());

        size.read(10, 10 * 64 * 1024);
        assert_eq!(size.limit(), 64);
        (0..100).for_each(|_| size.read(100, 30_000));
        assert_eq!(size.limit(), 500);
        size.read(0, 0);
    }
}
