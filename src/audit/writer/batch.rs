//! One batch: rows into PostgreSQL, and only then the entries out of Redis.

use std::{collections::BTreeMap, sync::Arc};

use sqlx::PgPool;

use super::{
    parked::{Job, MAX_ATTEMPTS},
    store::{self, Line, Stored},
};
use crate::{
    audit::{
        postgres::{Class, Failure, Row, record_dead},
        queue::{AuditQueue, StreamId},
        seal::Sealer,
    },
    error::Error,
};

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Rows that are new in the table.
    pub(super) stored: u64,
    /// Rows that were there already.
    pub(super) duplicates: u64,
    /// Entries that went to the dead letters.
    pub(super) dead: u64,
    /// Entries that are refused no longer, or are no longer in the queue.
    pub(super) settled: Vec<(usize, StreamId)>,
    /// Entries that were refused, and how often by now.
    pub(super) refused: Vec<(usize, StreamId, u32)>,
    /// What PostgreSQL lacked.
    pub(super) failure: Option<Failure>,
    /// Shards whose Redis did not do as asked.
    pub(super) silent: Vec<(usize, Error)>,
}

/// Works on a batch until the end. It may be dropped anywhere: what is not yet deleted comes again, and
/// meets its own row.
pub(super) async fn work(
    queue: AuditQueue,
    pool: PgPool,
    sealer: Option<Arc<Sealer>>,
    jobs: Vec<Job>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut lines = Vec::with_capacity(jobs.len());
    for job in jobs {
        match queue.keys(job.shard) {
            Ok(keys) => lines.push(Line { row: Row::new(keys, &job.entry), job }),
            Err(error) => outcome.silent.push((job.shard, error)),
        }
    }
    store::sort(&mut lines);
    let stored = store::store(&pool, sealer.as_deref(), &lines).await;
    outcome.stored = stored.new;
    outcome.duplicates = count(stored.settled.len()).saturating_sub(stored.new);
    delete(&queue, &lines, &stored, &mut outcome).await;
    for (at, failure) in &stored.refused {
        if let Some(line) = lines.get(*at) {
            refuse(&queue, &pool, line, failure, &mut outcome).await;
        }
    }
    outcome.failure = stored.failure;
    outcome
}

/// Deletes what is in the table now. Nothing before this line may.
async fn delete(queue: &AuditQueue, lines: &[Line], stored: &Stored, outcome: &mut Outcome) {
    let mut entries: BTreeMap<usize, Vec<(StreamId, Vec<u8>)>> = BTreeMap::new();
    let mut counted: BTreeMap<usize, Vec<StreamId>> = BTreeMap::new();
    for Line { job, .. } in stored.settled.iter().filter_map(|at| lines.get(*at)) {
        entries.entry(job.shard).or_default().push((job.entry.id, job.entry.beginning().to_vec()));
        if job.refusals > 0 {
            counted.entry(job.shard).or_default().push(job.entry.id);
            outcome.settled.push((job.shard, job.entry.id));
        }
    }
    let shards = entries.keys().copied().collect();
    let deleted = queue.each(shards, |queue, shard| {
        let entries = entries.remove(&shard).unwrap_or_default();
        async move { queue.delete(shard, entries).await }
    });
    for (shard, deleted) in deleted.await {
        // What stays comes again and is a duplicate then.
        outcome.silent.extend(deleted.err().map(|error| (shard, error)));
    }
    for (shard, ids) in counted {
        // What stays runs out by itself.
        drop(queue.forget_refusals(shard, &ids).await);
    }
}

async fn refuse(queue: &AuditQueue, pool: &PgPool, line: &Line, failure: &Failure, outcome: &mut Outcome) {
    debug_assert_eq!(failure.class, Class::Data);
    let Line { job, row } = line;
    let (code, shard) = (failure.code.as_str(), job.shard);
    let constraint = failure.constraint.as_deref();
    let attempts = match queue.refused(shard, job.entry.id, job.refusals).await {
        Ok(attempts) => attempts,
        Err(error) => {
            outcome.silent.push((shard, error));
            job.refusals + 1
        }
    };
    if attempts < MAX_ATTEMPTS {
        tracing::warn!(shard, code, constraint, attempts, "PostgreSQL refuses an audit entry");
        outcome.refused.push((shard, job.entry.id, attempts));
        return;
    }
    let error = format!("{code}: {}", failure.message);
    // First there, then out of the queue: a writer that dies in between meets its own line again. And it is
    // only a copy: where it can't be written, the letter in Redis is still whole.
    if let Err(failure) = record_dead(pool, row, &job.entry.payload, attempts, &error).await {
        tracing::warn!(shard, code = failure.code, "a dead letter is not recorded in PostgreSQL");
    }
    match queue.bury(shard, &job.entry, &error, attempts).await {
        Ok(buried) => {
            if buried {
                tracing::error!(shard, code, constraint, attempts, "an audit entry is a dead letter now");
                outcome.dead += 1;
            }
            outcome.settled.push((shard, job.entry.id));
        }
        Err(error) => {
            outcome.refused.push((shard, job.entry.id, attempts));
            outcome.silent.push((shard, error));
        }
    }
}

pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
