//! Entries that PostgreSQL refused, and that wait for their next attempt.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::audit::queue::{StreamId, Waiting};

/// After this many refusals an entry is dead-lettered.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// How many entries of one shard may be parked before it is not read any further. Each read brings the
/// parked ones along, since they stay at the head of the stream until they are dead-lettered.
const MAX_PARKED: usize = 256;

/// Only names: the entries themselves stay in Redis, and so do the counts. A writer that dies here loses
/// nothing, and the next one goes on counting.
#[derive(Debug)]
pub(super) struct Parked {
    suspects: BTreeMap<(usize, StreamId), Suspect>,
    /// The pause after the first refusal, doubled after each.
    pause: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    refusals: u32,
    due: Instant,
}

/// An entry to store, and how often it was refused already.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The shard's place in the queue.
    pub(super) shard: usize,
    pub(super) entry: Waiting,
    pub(super) refusals: u32,
}

impl Parked {
    pub(super) const fn new(pause: Duration) -> Self {
        Self { suspects: BTreeMap::new(), pause }
    }

    /// Notes a refusal, the `refusals`th.
    pub(super) fn park(&mut self, shard: usize, id: StreamId, refusals: u32, now: Instant) {
        let pause = self.pause.saturating_mul(1 << refusals.saturating_sub(1).min(10));
        self.suspects.insert((shard, id), Suspect { refusals, due: now + pause });
    }

    /// Notes what an earlier writer counted. How long it waited already is not known, so it is due.
    pub(super) fn recall(&mut self, shard: usize, id: StreamId, refusals: u32, now: Instant) {
        self.suspects.entry((shard, id)).or_insert(Suspect { refusals, due: now });
    }

    pub(super) fn forget(&mut self, shard: usize, id: StreamId) {
        self.suspects.remove(&(shard, id));
    }

    /// How many entries of this shard are parked, and how many of these are not due yet.
    pub(super) fn count(&self, shard: usize, now: Instant) -> (usize, usize) {
        let suspects = || self.of(shard);
        (suspects().count(), suspects().filter(|(_, suspect)| suspect.due > now).count())
    }

    /// How many fresh entries of this shard may be read.
    pub(super) fn room(&self, shard: usize) -> usize {
        MAX_PARKED.saturating_sub(self.of(shard).count())
    }

    /// Turns what was read from a stream's head into work: fresh entries and those that are due.
    /// `complete` says that nothing stood behind them.
    pub(super) fn admit(
        &mut self,
        shard: usize,
        read: Vec<Waiting>,
        complete: bool,
        now: Instant,
    ) -> Vec<Job> {
        // What was parked and is no longer in the stream was stored by somebody else.
        let last = read.last().map(|entry| entry.id);
        let seen: Vec<StreamId> = read.iter().map(|entry| entry.id).collect();
        let behind = |id: StreamId| !complete && last.is_some_and(|last| last < id);
        self.suspects.retain(|(of, id), _| *of != shard || behind(*id) || seen.binary_search(id).is_ok());

        let suspects = &self.suspects;
        let admitted = read.into_iter().filter_map(|entry| match suspects.get(&(shard, entry.id)) {
            None => Some(Job { shard, entry, refusals: 0 }),
            Some(suspect) => (suspect.due <= now).then_some(Job { shard, entry, refusals: suspect.refusals }),
        });
        admitted.collect()
    }

    fn of(&self, shard: usize) -> impl Iterator<Item = (&StreamId, &Suspect)> {
        self.suspects.iter().filter(move |((of, _), _)| *of == shard).map(|((_, id), suspect)| (id, suspect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Waiting {
        Waiting::for_test(id, "1", &[], b"{}")
    }

    fn admitted(parked: &mut Parked, read: &[&str], complete: bool, now: Instant) -> Vec<(String, u32)> {
        let read = read.iter().map(|id| entry(id)).collect();
        let jobs = parked.admit(0, read, complete, now);
        jobs.into_iter().map(|job| (job.entry.id.to_string(), job.refusals)).collect()
    }

    #[test]
    fn a_refused_entry_waits_longer_each_time_and_the_others_go_past_it() {
        let (mut parked, start) = (Parked::new(Duration::from_millis(100)), Instant::now());
        let bad = "1-0".parse().unwrap();
        for (refusals, pause) in [(1, 100), (2, 200), (3, 400), (4, 800)] {
            parked.park(0, bad, refusals, start);
            assert_eq!(parked.count(0, start), (1, 1));
            assert_eq!(admitted(&mut parked, &["1-0", "2-0"], true, start), [("2-0".to_owned(), 0)]);
            let due = start + Duration::from_millis(pause);
            assert_eq!(parked.count(0, due), (1, 0));
            let both = [("1-0".to_owned(), refusals), ("2-0".to_owned(), 0)];
            assert_eq!(admitted(&mut parked, &["1-0", "2-0"], true, due), both);
        }
        parked.forget(0, bad);
        assert_eq!(parked.count(0, start), (0, 0));
    }

    #[test]
    fn what_is_recalled_is_due_and_changes_nothing_that_is_known() {
        let (mut parked, now) = (Parked::new(Duration::from_secs(1)), Instant::now());
        let [known, recalled] = ["1-0", "2-0"].map(|id| id.parse().unwrap());
        parked.park(0, known, 1, now);
        parked.recall(0, known, 4, now);
        parked.recall(0, recalled, 3, now);
        assert_eq!(admitted(&mut parked, &["1-0", "2-0"], true, now), [("2-0".to_owned(), 3)]);
    }

    #[test]
    fn what_somebody_else_stored_is_forgotten() {
        let (mut parked, now) = (Parked::new(Duration::from_secs(1)), Instant::now());
        for (shard, id) in [(0, "1-0"), (0, "5-0"), (1, "1-0")] {
            parked.park(shard, id.parse().unwrap(), 1, now);
        }
        admitted(&mut parked, &["2-0", "3-0"], false, now);
        assert_eq!(parked.count(0, now).0, 1, "5-0 may stand behind what was read");
        admitted(&mut parked, &["2-0", "3-0"], true, now);
        assert_eq!((parked.count(0, now).0, parked.count(1, now).0), (0, 1));
    }
}
