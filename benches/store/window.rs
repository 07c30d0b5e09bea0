//! One operation, by so many tasks, for so long.

use std::time::{Duration, Instant};

use cloakroom::{
    id::Address,
    store::{RedisStore, Touch},
};
use report::{cpu, statistics::quantile};
use tokio::task::JoinSet;

use crate::{
    floor::Floor,
    support::{Bare, Commits, Place, load},
};

/// `GET` twice: the second one is the noise. A floor is what the same commands take without us. `all` is audit and event. Commits go from session to session, so that each
/// is some seconds after the one before; `burst` is the same as `all` on one session, whose last events are remembered
/// for ten seconds.
pub(crate) const OPERATIONS: [&str; 10] = [
    "GET",
    "GET again",
    "load, floor",
    "load",
    "peek",
    "commit, floor",
    "commit",
    "commit, audit",
    "commit, all",
    "burst",
];

/// What one task works on.
pub(crate) struct Subject {
    pub(crate) bare: Bare,
    pub(crate) key: String,
    pub(crate) floor: Floor,
    /// Without a trail, with one, and with events as well.
    pub(crate) stores: [RedisStore; 3],
    pub(crate) at: Address,
    /// Of each store, sessions to commit to, one after the other.
    pub(crate) commits: [Vec<Commits>; 3],
    pub(crate) turn: usize,
}

/// Microseconds, all of them; CPU for each operation.
pub(crate) struct Window {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) per_second: f64,
    pub(crate) redis_cpu: f64,
    pub(crate) client_cpu: f64,
}

pub(crate) async fn run(
    place: &Place,
    subjects: &mut Vec<Subject>,
    operation: usize,
    lasting: Duration,
) -> Window {
    let mut tasks = JoinSet::new();
    let before = (place.cpu(), cpu(std::process::id()));
    let start = Instant::now();
    for mut subject in subjects.drain(..) {
        tasks.spawn(async move {
            let mut latencies = Vec::with_capacity(1024);
            let mut last = start;
            while last - start < lasting {
                subject.work(operation).await;
                let now = Instant::now();
                latencies.push((now - last).as_nanos() as f64 / 1e3);
                last = now;
            }
            (subject, latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (subject, of_task) = task.unwrap();
        latencies.extend(of_task);
        subjects.push(subject);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let after = (place.cpu(), cpu(std::process::id()));
    let count = latencies.len() as f64;
    Window {
        p50: quantile(&latencies, 0.5),
        p99: quantile(&latencies, 0.99),
        per_second: count / elapsed,
        redis_cpu: (after.0 - before.0) / count,
        client_cpu: (after.1 - before.1) / count,
    }
}

impl Subject {
    async fn work(&mut self, operation: usize) {
        let plain = &self.stores[0];
        self.turn += 1;
        match OPERATIONS[operation] {
            "load, floor" => self.floor.load().await,
            "load" => drop(load(plain, self.at, Touch::Refresh).await),
            "peek" => drop(load(plain, self.at, Touch::Peek).await),
            "commit, floor" => self.floor.commit().await,
            "commit" => self.commit(0).await,
            "commit, audit" => self.commit(1).await,
            "commit, all" => self.commit(2).await,
            "burst" => self.commits[2][0].run(&self.stores[2]).await,
            _ => self.bare.get(&self.key).await,
        }
    }

    async fn commit(&mut self, which: usize) {
        let commits = &mut self.commits[which];
        let turn = self.turn % commits.len();
        commits[turn].run(&self.stores[which]).await;
    }
}
