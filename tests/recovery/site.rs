//! A Redis server and a database of the test's own, with the application over them.

use std::{
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom::{
    audit::{
        self, AuditPool, AuditWriter, Recovery, Snapshots, Verify,
        seal::{SealKey, Verifier},
    },
    clock::Timestamp,
    store::RedisStore,
};
use servers::{Postgres, Redis};
use sqlx::PgPool;

use crate::app::{Answer, App};

pub const SHARDS: u16 = 4;
pub const PEPPER: &[u8] = b"sixteen bytes and more of pepper";

pub struct Site {
    pub redis: Mutex<Redis>,
    pub store: RedisStore,
    pub pool: PgPool,
    pub app: App,
}

pub fn database() -> String {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("recovery_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    SERVER.get_or_init(|| Postgres::start().unwrap()).create_database(&name).unwrap()
}

impl Site {
    pub async fn start() -> Self {
        Self::with(&database(), Duration::from_secs(24 * 3600)).await
    }

    pub async fn with(postgres: &str, absolute: Duration) -> Self {
        let redis = Redis::start().unwrap();
        let store = store(&redis.url());
        let pool = AuditPool::new(postgres).connections(8).open().unwrap();
        audit::migrate(&pool).await.unwrap();
        Self { redis: Mutex::new(redis), app: App::new(store.clone(), absolute), store, pool }
    }

    pub fn redis(&self, command: &[&str]) -> String {
        self.redis.lock().unwrap().command(command).unwrap()
    }

    pub async fn run(&self, token: &str, steps: &str) -> Answer {
        let answer = self.app.run(token, steps).await;
        assert_eq!(answer.status, 200, "{steps}: {answer:?}");
        answer
    }

    /// Brings everything that waits into PostgreSQL.
    pub async fn drain(&self) {
        let writer = AuditWriter::new(self.store.audit_queue(), self.pool.clone()).seal(Some(key()));
        let stop = writer.stop_handle();
        let running = tokio::spawn(writer.run());
        let queue = self.store.audit_queue();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !queue.is_empty().await.unwrap() {
            assert!(Instant::now() < deadline, "the queue does not get empty");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.stop();
        assert_eq!(running.await.unwrap().dead, 0);
    }

    /// Redis loses everything, after the trail is complete.
    pub async fn lose(&self) {
        self.drain().await;
        self.redis(&["FLUSHALL"]);
    }

    /// Redis and the trail, with the writers' key.
    pub fn verify(&self) -> Verify {
        Verify::new(&self.store, self.pool.clone()).seals(Verifier::new().key(key().public()))
    }

    /// Somebody with all rights on the database.
    pub async fn sql(&self, sql: &'static str) -> u64 {
        sqlx::query(sql).execute(&self.pool).await.unwrap().rows_affected()
    }

    pub fn recovery(&self) -> Recovery {
        Recovery::new(&self.store, self.pool.clone())
    }

    /// Makes snapshots of what is stored, and tells how many.
    pub async fn snapshots(&self, every: u64) -> u64 {
        let snapshots = Snapshots::new(self.pool.clone(), "shop").every(every).settle(Duration::ZERO);
        snapshots.run().await.unwrap().made
    }

    /// The same, signed.
    pub async fn signed_snapshots(&self, every: u64) -> u64 {
        let snapshots = Snapshots::new(self.pool.clone(), "shop").every(every).settle(Duration::ZERO);
        snapshots.sealed_by(key()).run().await.unwrap().made
    }

    /// All keys but the counters and streams that every store makes.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.redis(&["KEYS", "*"]);
        let made = |key: &&str| key.contains(":s:") || key.contains(":x:") || key.ends_with(":audit");
        let mut keys: Vec<String> = keys.lines().filter(made).map(str::to_owned).collect();
        keys.sort();
        keys
    }

    /// Redis' clock.
    pub fn now(&self) -> Timestamp {
        let time = self.redis(&["TIME"]);
        let mut parts = time.lines().map(|part| part.trim().parse::<u64>().unwrap());
        Timestamp::from_millis(parts.next().unwrap() * 1000 + parts.next().unwrap() / 1000)
    }

    /// Waits until Redis' clock has gone on.
    pub async fn tick(&self) -> Timestamp {
        let before = self.now();
        while self.now() <= before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        before
    }
}

/// The writers' key.
pub fn key() -> SealKey {
    SealKey::new("2026", [7; 32])
}

pub fn store(url: &str) -> RedisStore {
    let store = RedisStore::builder(url).namespace("shop").shards(SHARDS).pepper(PEPPER).audit(true);
    store.timeout(Duration::from_secs(10)).build().unwrap()
}

/// Waits for a condition, a minute at most.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited a minute in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
