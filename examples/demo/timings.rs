//! How long the store took, beside a bare `GET`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{Client, aio::MultiplexedConnection};

/// The last of each.
#[derive(Clone, Default)]
pub(crate) struct Timings(Arc<Mutex<Kept>>);

#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) get: VecDeque<Duration>,
    pub(crate) load: VecDeque<Duration>,
    pub(crate) commit: VecDeque<Duration>,
}

/// What was timed.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Get,
    Load,
    Commit,
}

const KEPT: usize = 120;

impl Timings {
    pub(crate) fn note(&self, what: What, took: Duration) {
        let mut kept = self.open();
        let list = match what {
            What::Get => &mut kept.get,
            What::Load => &mut kept.load,
            What::Commit => &mut kept.commit,
        };
        list.push_back(took);
        if list.len() > KEPT {
            list.pop_front();
        }
    }

    pub(crate) fn so_far(&self) -> Kept {
        self.open().clone()
    }

    fn open(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of its own to the same Redis, for a `GET` and nothing else: the least that a look into Redis costs.
#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    connection: Arc<tokio::sync::Mutex<Option<MultiplexedConnection>>>,
}

impl Bare {
    /// A few for each look at the chart, so that nobody measures while nobody looks.
    const TIMES: usize = 8;
    const PATIENCE: Duration = Duration::from_millis(250);

    pub(crate) fn new(url: &str) -> Option<Self> {
        Some(Self { client: Client::open(url).ok()?, connection: Arc::default() })
    }

    /// Leaves the chart without news while Redis is out of reach.
    pub(crate) async fn measure(&self, timings: &Timings) {
        let mut place = self.connection.lock().await;
        let asked = tokio::time::timeout(Self::PATIENCE, self.ask(place.take(), timings)).await;
        *place = asked.ok().and_then(Result::ok);
    }

    async fn ask(
        &self,
        connection: Option<MultiplexedConnection>,
        timings: &Timings,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.client.get_multiplexed_async_connection().await?,
        };
        for _ in 0..Self::TIMES {
            let begin = Instant::now();
            let _: Option<String> = redis::cmd("GET").arg("demo:bare").query_async(&mut connection).await?;
            timings.note(What::Get, begin.elapsed());
        }
        Ok(connection)
    }
}

/// The middle one.
pub(crate) fn median(spans: &VecDeque<Duration>) -> Option<Duration> {
    let mut sorted: Vec<_> = spans.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
