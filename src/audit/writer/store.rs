//! Storing a batch: all rows at once, and when that is refused, finding the row that is at fault.

use std::{collections::BTreeSet, ops::Range};

use sqlx::PgPool;

use super::parked::Job;
use crate::audit::{
    postgres::{Class, Failure, Row, ensure_partition, insert, insert_sealed},
    seal::Sealer,
};

/// An entry and its row.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) job: Job,
    pub(super) row: Row,
}

/// What became of a batch. Places are those in the slice that was given.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// How many rows were new.
    pub(super) new: u64,
    /// Which lines are in the table now, whoever put them there.
    pub(super) settled: Vec<usize>,
    /// Which lines were refused.
    pub(super) refused: Vec<(usize, Failure)>,
    /// Why the others were not tried.
    pub(super) failure: Option<Failure>,
}

/// In the order in which rows are inserted: those that were refused before last, since each of them is
/// tried alone and must not spoil a batch.
pub(super) fn sort(lines: &mut [Line]) {
    lines.sort_unstable_by_key(|line| (line.job.refusals > 0, line.row.key()));
}

/// Stores lines that are [sorted](sort). 500 rows with one bad among them take 19 statements.
pub(super) async fn store(pool: &PgPool, sealer: Option<&Sealer>, lines: &[Line]) -> Stored {
    let mut stored = Stored::default();
    let mut healed = false;
    let fresh = lines.partition_point(|line| line.job.refusals == 0);
    // A stack: the fresh ones are at its top.
    let mut ranges: Vec<_> = (fresh..lines.len()).rev().map(|at| at..at + 1).collect();
    ranges.push(0..fresh);
    while let Some(range) = ranges.pop() {
        let chosen = lines.get(range.clone()).unwrap_or_default();
        if chosen.is_empty() {
            continue;
        }
        match attempt(pool, sealer, chosen, &mut healed).await {
            Ok(new) => {
                stored.new += new;
                stored.settled.extend(range);
            }
            Err(failure) if failure.class == Class::Data => match halves(range) {
                Ok((left, right)) => ranges.extend([right, left]),
                Err(at) => stored.refused.push((at, failure)),
            },
            Err(failure) => {
                stored.failure = Some(failure);
                break;
            }
        }
    }
    stored
}

/// Both halves of a range, or the only place in it.
fn halves(range: Range<usize>) -> Result<(Range<usize>, Range<usize>), usize> {
    if range.len() <= 1 {
        return Err(range.start);
    }
    let middle = range.start + range.len() / 2;
    Ok((range.start..middle, middle..range.end))
}

async fn attempt(
    pool: &PgPool,
    sealer: Option<&Sealer>,
    lines: &[Line],
    healed: &mut bool,
) -> Result<u64, Failure> {
    let rows: Vec<&Row> = lines.iter().map(|line| &line.row).collect();
    let mut races = 0;
    loop {
        let done = match sealer {
            None => insert(pool, &rows).await,
            Some(sealer) => insert_sealed(pool, &rows, sealer).await,
        };
        match done {
            Err(failure) if failure.is_missing_partition() && !*healed => {
                *healed = true;
                heal(pool, &rows).await?;
            }
            Err(failure) if failure.is_lost_race() && races < 3 => races += 1,
            done => return done,
        }
    }
}

/// Makes the partitions that these rows need.
async fn heal(pool: &PgPool, rows: &[&Row]) -> Result<(), Failure> {
    // 28 days are no longer than any month: with the first and the last time of each such span, every
    // month that has a row is named at least once.
    const SPAN: i64 = 28 * 24 * 60 * 60 * 1000;
    let spans: BTreeSet<i64> = rows.iter().map(|row| row.key().1.div_euclid(SPAN)).collect();
    for span in spans {
        let of_span = || rows.iter().map(|row| row.key().1).filter(|at| at.div_euclid(SPAN) == span);
        let ends = BTreeSet::from_iter(of_span().min().into_iter().chain(of_span().max()));
        for millis in ends {
            tracing::warn!("the audit trail has no partition for an entry: making it");
            ensure_partition(pool, millis).await.map_err(Failure::not_the_rows_fault)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The same bisection against a server that refuses any statement with a bad row in it.
        #[test]
        fn exactly_the_bad_rows_are_found(bad in prop::collection::btree_set(0..500_usize, 0..20), len in 1..500_usize) {
            let whole = 0..len;
            let mut ranges = Vec::from([whole]);
            let (mut settled, mut refused) = (BTreeSet::new(), BTreeSet::new());
            let mut statements = 0;
            while let Some(range) = ranges.pop() {
                statements += 1;
                if bad.range(range.clone()).next().is_none() {
                    settled.extend(range);
                } else {
                    match halves(range) {
                        Ok((left, right)) => ranges.extend([right, left]),
                        Err(at) => { refused.insert(at); }
                    }
                }
            }
            let expected: BTreeSet<_> = bad.range(..len).copied().collect();
            prop_assert!(statements <= 1 + expected.len() * 18);
            prop_assert_eq!(settled.len() + refused.len(), len);
            prop_assert_eq!(refused, expected);
        }
    }
}
