//! From the queue into PostgreSQL.
//!
//! ```text
//! lease shards ─▶ XLEN ─▶ XRANGE ─▶ rows ─▶ INSERT … ON CONFLICT DO NOTHING ─▶ COMMIT ─▶ XDEL those entries
//! ```
//!
//! At least once into PostgreSQL, exactly once in effect: an entry is deleted only after the commit of its
//! row, and a row's key comes from the entry, so that one which comes again meets itself.
//!
//! * Any number of writers may run. Each takes the shards that nobody works on; when one dies, its leases
//!   run out within ten seconds and another goes on.
//! * PostgreSQL away: after three failures the writer reads nothing for a while (50 ms, doubling to 5 s,
//!   with full jitter), asks, tries one small batch, and goes on by itself. Entries wait in Redis; no
//!   attempt is counted, nothing is dead-lettered however long it takes.
//! * PostgreSQL not as needed (no table, no right): the same pauses, and an `error!` each time. A missing
//!   partition is made.
//! * A row refused: it is found by bisection, tried five times with growing pauses, then recorded in
//!   `cloakroom.session_event_dead` and moved to the shard's dead letters, with an `error!`. The others go on
//!   meanwhile. Attempts are counted in Redis, so a writer's restart does not begin them anew.
//! * Changes that were left out while too much waited ([`AuditOverflow::Shed`](super::AuditOverflow::Shed)): as soon
//!   as PostgreSQL is back, a row of the kind `gap` tells how many, with an `error!`.

mod backoff;
mod batch;
mod breaker;
mod cooling;
mod leases;
mod parked;
mod plan;
mod run;
mod stop;
mod store;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;

use super::{
    AuditPool, AuditQueue,
    queue::shorten,
    seal::{SealKey, Sealer},
};
use crate::error::Error;
pub use stop::Stop;

/// Drains the queue into PostgreSQL. See the [module of the trail](super) for how entries get there.
///
/// [`run`](Self::run) is a future: spawn it, and stop it before the process ends, so that the last entries
/// are not left to the next writer.
///
/// ```no_run
/// # async fn f(store: &cloakroom::store::RedisStore) -> Result<(), Box<dyn std::error::Error>> {
/// use cloakroom::audit::{self, AuditWriter};
///
/// let writer = AuditWriter::connect(store.audit_queue(), "postgres://app@localhost/trail")?;
/// audit::migrate(writer.pool()).await?;
/// let stop = writer.stop_handle();
/// let running = tokio::spawn(writer.run());
/// // … serve …
/// stop.stop();
/// let report = running.await?;
/// println!("{} entries stored", report.stored);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a writer does nothing until `run` is polled"]
pub struct AuditWriter {
    queue: AuditQueue,
    pool: PgPool,
    name: Option<String>,
    options: Options,
    sealer: Option<Arc<Sealer>>,
    stop: Stop,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    batch: u64,
    concurrency: usize,
    poll: (Duration, Duration),
    lease: Duration,
    retry: Duration,
    flush: Duration,
}

/// What a writer did in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Rows that it stored.
    pub stored: u64,
    /// Entries whose row was there already: they had been delivered before.
    pub duplicates: u64,
    /// Entries that PostgreSQL refused five times.
    pub dead: u64,
    /// Whether, when it stopped, nothing waited any more in the shards that it worked on, except entries
    /// between two attempts. What waits is safe: another writer goes on with it.
    pub flushed: bool,
}

impl AuditWriter {
    /// A writer on a pool that the application made.
    ///
    /// Mind its `synchronous_commit`: entries are deleted from Redis once PostgreSQL has said that they are
    /// committed. And give it timeouts; the writer itself gives up on a statement after ten seconds.
    /// [`AuditPool`] makes a pool with both.
    pub fn new(queue: AuditQueue, pool: PgPool) -> Self {
        let options = Options {
            batch: 500,
            concurrency: 4,
            poll: (Duration::from_millis(1), Duration::from_millis(50)),
            lease: Duration::from_secs(10),
            retry: Duration::from_millis(250),
            flush: Duration::from_secs(5),
        };
        Self { queue, pool, name: None, options, sealer: None, stop: Stop::new() }
    }

    /// A writer with connections of its own: an [`AuditPool`] with its defaults. PostgreSQL need not be
    /// there yet. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) when the URL cannot be read, or leads to
    /// another machine without `sslmode=verify-full`.
    pub fn connect(queue: AuditQueue, url: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::new(queue, AuditPool::new(url).open()?))
    }

    /// The connections that it uses, for [`migrate`](super::migrate).
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// What the leases call this writer, such as a host's name, so that a person sees who works on which
    /// shard; at most 100 bytes. Default: none, only its UUID.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(shorten(&name.into(), 100).to_owned());
        self
    }

    /// How many rows an insert has at most, 1 to 5,000. Default: 500. Fewer where entries are large (about
    /// 4 MB an insert) or PostgreSQL is slow.
    pub fn batch(mut self, rows: u16) -> Self {
        self.options.batch = u64::from(rows.clamp(1, 5000));
        self
    }

    /// How many inserts run at a time, 1 to 16. Default: 4. Each takes a connection. While one waits for its answer,
    /// others are read, stored and deleted: on two cores that held everything, four brought a quarter more than two.
    pub fn concurrency(mut self, inserts: u8) -> Self {
        self.options.concurrency = usize::from(inserts.clamp(1, 16));
        self
    }

    /// How long it waits before it asks again for new entries: `min` at first, doubling to `max` while there
    /// are none. Default: 1 ms and 50 ms. With more than 250 shards `max` is at least 0.2 ms a shard.
    pub fn poll(mut self, min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_micros(100));
        self.options.poll = (min, max.max(min));
        self
    }

    /// How long a shard stays without a writer after its writer died, at least 100 ms. Default: 10 s.
    pub fn lease(mut self, span: Duration) -> Self {
        self.options.lease = span.max(Duration::from_millis(100));
        self
    }

    /// The pause before a row that PostgreSQL refused is tried again, doubled after each attempt.
    /// Default: 250 ms, so that a row is a dead letter after 3.75 s.
    pub fn retry(mut self, pause: Duration) -> Self {
        self.options.retry = pause;
        self
    }

    /// How long it goes on storing after it was asked to stop. Default: 5 s.
    pub fn flush(mut self, span: Duration) -> Self {
        self.options.flush = span;
        self
    }

    /// Gives every row a hash and every batch a [seal](super::seal), signed where there is a key. Default:
    /// off. The writer then needs the rights to SELECT `event_id` of the trail, and to SELECT and INSERT
    /// seals.
    pub fn seal(mut self, key: Option<SealKey>) -> Self {
        self.sealer = Some(Arc::new(Sealer::new(key)));
        self
    }

    /// Asks this writer to stop, from anywhere and at any time.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Works until it is asked to [stop](Stop): it then finishes the batch in hand, stores what still waits
    /// in its shards, and gives them back. It never fails; what goes wrong is logged and tried again.
    ///
    /// Dropping this future is safe too: an insert that was under way may be stored or not, its entries
    /// come again, and the shards are free when the leases have run out.
    pub async fn run(self) -> Report {
        run::Runner::new(self).run().await
    }
}
