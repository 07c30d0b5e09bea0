//! The loop.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    AuditWriter, Report,
    backoff::random,
    batch::{self, Outcome},
    breaker::{Breaker, Phase},
    cooling::Cooling,
    leases::Leases,
    parked::{Job, Parked},
    plan::{Backlog, BatchSize},
};
use crate::audit::postgres::{Class, Failure, ensure_partitions_ahead, probe};

/// How many rows the batch on trial has.
const TRIAL: u64 = 50;

/// How often the trail is told what was left out of it.
const GAPS_EVERY: Duration = Duration::from_secs(1);

/// How often partitions are made ahead.
const PARTITIONS_EVERY: Duration = Duration::from_secs(3600);

/// All of a writer's state belongs to this one future; batches are tasks that hand back an [`Outcome`].
/// A shard is in one batch at a time, so that nothing is read twice.
pub(super) struct Runner {
    writer: AuditWriter,
    leases: Leases,
    breaker: Breaker,
    parked: Parked,
    size: BatchSize,
    backlog: Backlog,
    batches: JoinSet<Outcome>,
    concurrency: usize,
    busy: HashMap<Id, BTreeSet<usize>>,
    cooling: Cooling,
    idle: Duration,
    counted_at: Option<Instant>,
    partitions_at: Instant,
    gaps_at: Instant,
    report: Report,
}

impl Runner {
    pub(super) fn new(writer: AuditWriter) -> Self {
        let options = writer.options;
        let connections = usize::try_from(writer.pool.options().get_max_connections()).unwrap_or(1);
        Self {
            leases: Leases::new(writer.name.as_deref(), options.lease),
            breaker: Breaker::new(),
            parked: Parked::new(options.retry),
            size: BatchSize::new(options.batch),
            backlog: Backlog::default(),
            batches: JoinSet::new(),
            // More would only wait for one another's connections, and take that for an outage.
            concurrency: options.concurrency.min(connections).max(1),
            busy: HashMap::new(),
            cooling: Cooling::default(),
            idle: options.poll.0,
            counted_at: None,
            partitions_at: Instant::now(),
            gaps_at: Instant::now(),
            report: Report::default(),
            writer,
        }
    }

    pub(super) async fn run(mut self) -> Report {
        tracing::info!("audit writer started");
        while !self.writer.stop.is_asked() {
            self.step().await;
        }
        let deadline = Instant::now() + self.writer.options.flush;
        self.report.flushed = timeout_at(deadline, self.flush()).await.unwrap_or(false);
        self.batches.shutdown().await;
        self.leases.release(&self.writer.queue).await;
        let Report { stored, duplicates, dead, flushed } = self.report;
        tracing::info!(stored, duplicates, dead, flushed, "audit writer stopped");
        if let Some(sealer) = &self.writer.sealer {
            sealer.tell_ends();
        }
        self.report
    }

    /// Goes on until nothing waits in the shards that it holds.
    async fn flush(&mut self) -> bool {
        loop {
            self.step().await;
            if self.batches.is_empty() {
                let held: Vec<usize> = self.leases.held().collect();
                if held.is_empty() {
                    // They were given back because PostgreSQL is away, or it never had any.
                    return matches!(self.breaker.phase(Instant::now()), Phase::Closed);
                }
                let now = Instant::now();
                let lengths = self.writer.queue.lengths(held).await;
                if lengths.iter().all(|(shard, length)| match length {
                    Ok(length) => *length <= batch::count(self.parked.count(*shard, now).1),
                    Err(_) => false,
                }) {
                    return true;
                }
            }
        }
    }

    async fn step(&mut self) {
        while let Some(done) = self.batches.try_join_next_with_id() {
            self.finished(done);
        }
        let now = Instant::now();
        match self.breaker.phase(now) {
            Phase::Open(until) => {
                // Another writer may be nearer to PostgreSQL.
                self.leases.release(&self.writer.queue).await;
                if !self.writer.stop.is_asked() {
                    self.pause(until - now).await;
                }
            }
            Phase::Probe => match self.writer.stop.interrupts(probe(&self.writer.pool)).await {
                Some(Ok(())) => self.breaker.answered(),
                Some(Err(failure)) => self.failed(&failure),
                None => {}
            },
            Phase::Trial => self.read_and_start(1, TRIAL).await,
            Phase::Closed => {
                if self.partitions_at <= now {
                    self.make_partitions(now).await;
                }
                self.read_and_start(self.concurrency, u64::MAX).await;
            }
        }
    }

    /// Starts as many batches as there is work for, then waits for something to happen.
    async fn read_and_start(&mut self, concurrency: usize, limit: u64) {
        let acquire = !self.writer.stop.is_asked();
        let new = self.leases.tick(&self.writer.queue, acquire, &mut self.cooling).await;
        self.recall(new).await;
        self.tell_gaps().await;
        let mut started = false;
        while self.batches.len() < concurrency {
            let jobs = self.read(limit.min(self.size.limit())).await;
            if jobs.is_empty() {
                break;
            }
            let shards = jobs.iter().map(|job| job.shard).collect();
            let work = batch::work(
                self.writer.queue.clone(),
                self.writer.pool.clone(),
                self.writer.sealer.clone(),
                jobs,
            );
            self.busy.insert(self.batches.spawn(work).id(), shards);
            started = true;
        }
        let (min, max) = self.writer.options.poll;
        if started {
            self.idle = min;
        }
        let pause = self.idle;
        // 64 shards polled every 50 ms are 1,280 XLEN a second; 4,096 of them must not be 82,000.
        let shards = u32::try_from(self.leases.held().count()).unwrap_or(u32::MAX);
        self.idle = (self.idle * 2).min(max.max(Duration::from_micros(200) * shards));
        self.pause(if self.batches.len() < concurrency { pause } else { max }).await;
    }

    /// Learns from Redis what earlier writers of these shards counted, so that a row which was refused four
    /// times has one attempt left. Where that fails the count in Redis only falls behind: see `tries`.
    async fn recall(&mut self, shards: Vec<usize>) {
        if shards.is_empty() {
            return;
        }
        let known =
            self.writer.queue.each(shards, |queue, shard| async move { queue.refusals(shard).await }).await;
        let now = Instant::now();
        let mut silent = Vec::new();
        for (shard, refusals) in known {
            match refusals {
                Ok(refusals) => {
                    refusals.into_iter().for_each(|(id, count)| self.parked.recall(shard, id, count, now));
                }
                Err(error) => silent.push((shard, error)),
            }
        }
        self.cooling.silent(silent);
    }

    /// Puts into the streams how much the stores left out. Only while PostgreSQL takes what is there: until then
    /// the numbers add up, and take no further room.
    async fn tell_gaps(&mut self) {
        let now = Instant::now();
        if now < self.gaps_at {
            return;
        }
        self.gaps_at = now + GAPS_EVERY;
        let held = self.leases.held().filter(|shard| !self.cooling.skips(*shard, now)).collect();
        let told = self.writer.queue.each(held, |queue, shard| async move { queue.tell_gap(shard).await });
        for (shard, told) in told.await {
            match told {
                Ok(false) => {}
                Ok(true) => {
                    tracing::error!(
                        shard,
                        "changes were left out of the audit trail: too much waited in Redis"
                    );
                }
                // Such as a Redis that is full: it goes on counting, and is drained the more.
                Err(error) => tracing::debug!(shard, %error, "what was left out could not be told"),
            }
        }
    }

    /// The next batch's entries; none where nothing waits.
    async fn read(&mut self, limit: u64) -> Vec<Job> {
        let now = Instant::now();
        let stale = |at: Instant| now - at > self.writer.options.poll.1;
        if self.counted_at.is_none_or(stale) {
            self.count(now).await;
        }
        let mut shares = self.allot(limit, now);
        if shares.is_empty() && self.counted_at != Some(now) {
            self.count(now).await;
            shares = self.allot(limit, now);
        }
        // Parked entries stand at the head of the stream and come along.
        let counts: BTreeMap<usize, usize> = shares
            .into_iter()
            .map(|(shard, share)| {
                (shard, self.parked.count(shard, now).0 + usize::try_from(share).unwrap_or(1))
            })
            .collect();
        let read = self.writer.queue.each(counts.keys().copied().collect(), |queue, shard| {
            let count = counts.get(&shard).copied().unwrap_or(1);
            async move { queue.read(shard, count).await }
        });
        let mut jobs = Vec::new();
        let mut silent = Vec::new();
        for (shard, entries) in read.await {
            match entries {
                Ok(entries) => {
                    self.size.read(entries.len(), entries.iter().map(|entry| entry.size()).sum());
                    let complete = counts.get(&shard).is_some_and(|count| entries.len() < *count);
                    jobs.extend(self.parked.admit(shard, entries, complete, now));
                }
                Err(error) => silent.push((shard, error)),
            }
        }
        if !silent.is_empty() {
            // A reply may have been too large for the time that there was.
            self.size.overloaded();
        }
        self.cooling.silent(silent);
        jobs
    }

    /// Counts what waits in the shards that are ours and in no batch.
    async fn count(&mut self, now: Instant) {
        self.counted_at = Some(now);
        let busy: BTreeSet<usize> = self.busy.values().flatten().copied().collect();
        let free = |shard: &usize| !busy.contains(shard) && !self.cooling.skips(*shard, now);
        let free = self.leases.held().filter(free).collect();
        let mut lengths = BTreeMap::new();
        let mut silent = Vec::new();
        for (shard, length) in self.writer.queue.lengths(free).await {
            match length {
                Ok(length) => {
                    self.cooling.answered(shard);
                    lengths.insert(shard, length);
                }
                Err(error) => silent.push((shard, error)),
            }
        }
        self.backlog.counted(lengths);
        self.cooling.silent(silent);
    }

    fn allot(&mut self, limit: u64, now: Instant) -> Vec<(usize, u64)> {
        let Self { backlog, parked, busy, .. } = self;
        backlog.allot(limit, |shard, length| {
            if busy.values().any(|shards| shards.contains(&shard)) {
                return 0;
            }
            let (parked_all, not_due) = parked.count(shard, now);
            let due = batch::count(parked_all - not_due);
            let fresh = length.saturating_sub(batch::count(parked_all)).min(batch::count(parked.room(shard)));
            length.min(due + fresh)
        })
    }

    fn finished(&mut self, done: Result<(Id, Outcome), JoinError>) {
        let outcome = match done {
            Ok((id, outcome)) => {
                self.busy.remove(&id);
                outcome
            }
            Err(error) => {
                // A panic is a bug of ours; the entries are still there. Go on, but not in a tight loop.
                self.busy.remove(&error.id());
                tracing::error!(%error, "a batch of the audit writer panicked");
                return self.breaker.trip(Instant::now(), random());
            }
        };
        let Outcome { stored, duplicates, dead, settled, refused, failure, silent } = outcome;
        self.report.stored += stored;
        self.report.duplicates += duplicates;
        self.report.dead += dead;
        let now = Instant::now();
        settled.into_iter().for_each(|(shard, id)| self.parked.forget(shard, id));
        refused.into_iter().for_each(|(shard, id, refusals)| self.parked.park(shard, id, refusals, now));
        self.cooling.silent(silent);
        match failure {
            Some(failure) => self.failed(&failure),
            None => {
                self.breaker.succeeded();
                self.size.stored();
            }
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let (code, constraint) = (failure.code.as_str(), failure.constraint.as_deref());
        if failure.is_overload() {
            self.size.overloaded();
        }
        match failure.class {
            Class::Infrastructure => {
                tracing::warn!(code, "PostgreSQL is away or busy: audit entries wait in Redis");
                self.breaker.failed(Instant::now(), random());
            }
            Class::Operator | Class::Data => {
                tracing::error!(
                    code,
                    constraint,
                    "PostgreSQL is not set up for the audit trail: entries wait in Redis"
                );
                self.breaker.trip(Instant::now(), random());
            }
        }
    }

    async fn make_partitions(&mut self, now: Instant) {
        self.partitions_at = now + PARTITIONS_EVERY;
        let made = self.writer.stop.interrupts(ensure_partitions_ahead(&self.writer.pool)).await;
        if let Some(Err(failure)) = made {
            // Nothing is lost by it: a missing one is made when the first entry of its month comes.
            tracing::warn!(code = failure.code, "no partitions of the audit trail could be made ahead");
            if failure.class == Class::Infrastructure {
                self.partitions_at = now + PARTITIONS_EVERY / 60;
            }
        }
    }

    /// Waits for so long, or until a batch ends or somebody asks to stop.
    async fn pause(&mut self, span: Duration) {
        if !self.batches.is_empty() {
            if let Ok(Some(done)) = timeout(span, self.batches.join_next_with_id()).await {
                self.finished(done);
            }
        } else {
            self.writer.stop.interrupts(sleep(span)).await;
        }
    }
}
