//! A namespace in Redis and a database in PostgreSQL, for one test.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom::{
    audit::{self, AuditPool, AuditQueue, AuditWriter},
    store::RedisStore,
};
use sqlx::PgPool;

pub struct Site {
    pub redis_url: String,
    pub postgres_url: String,
    pub namespace: String,
    pub shards: u16,
    pub store: RedisStore,
    pub pool: PgPool,
    pub redis: redis::aio::MultiplexedConnection,
}

/// On this binary's servers, which no test may stop.
pub async fn shared(shards: u16) -> Site {
    static SERVERS: OnceLock<(servers::Redis, servers::Postgres)> = OnceLock::new();
    let (redis, postgres) =
        SERVERS.get_or_init(|| (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap()));
    let site = Site::new(redis.url(), postgres.create_database(&fresh()).unwrap(), shards).await;
    audit::migrate(&site.pool).await.unwrap();
    site
}

fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("site-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Site {
    /// On servers of the test's own. The table is not made yet.
    pub async fn new(redis_url: String, postgres_url: String, shards: u16) -> Self {
        let namespace = fresh();
        let client = redis::Client::open(redis_url.as_str()).unwrap();
        Self {
            store: store(&redis_url, &namespace, shards),
            pool: AuditPool::new(postgres_url.as_str()).connections(8).open().unwrap(),
            redis: client.get_multiplexed_async_connection().await.unwrap(),
            redis_url,
            postgres_url,
            namespace,
            shards,
        }
    }

    pub fn queue(&self) -> AuditQueue {
        self.store.audit_queue()
    }

    /// A writer with connections of its own, and leases that run out while a test waits.
    pub fn writer(&self) -> AuditWriter {
        writer(self.queue(), &self.postgres_url)
    }

    pub async fn rows(&self) -> i64 {
        count(&self.pool, "SELECT count(*) FROM cloakroom.session_event").await
    }

    pub async fn until_drained(&self) {
        until("the queue is empty", async || self.queue().is_empty().await.unwrap_or(false)).await;
    }

    /// All keys of this kind: `audit`, `dead`, `lease`.
    pub async fn keys(&self, kind: &str) -> Vec<String> {
        let pattern = format!("{}:*:{kind}", self.namespace);
        redis::cmd("KEYS").arg(pattern).query_async(&mut self.redis.clone()).await.unwrap()
    }
}

pub fn store(redis_url: &str, namespace: &str, shards: u16) -> RedisStore {
    // These tests are about answers, not about time: a busy machine must not turn one into a time-out.
    let store = RedisStore::builder(redis_url).namespace(namespace).shards(shards).audit(true);
    store.timeout(Duration::from_secs(10)).build().unwrap()
}

pub fn writer(queue: AuditQueue, postgres_url: &str) -> AuditWriter {
    AuditWriter::connect(queue, postgres_url).unwrap().lease(Duration::from_millis(300))
}

pub async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits for a condition, a minute at most.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited a minute in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
