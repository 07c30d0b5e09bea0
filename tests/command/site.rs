//! An application's namespace in Redis and a database, for one test.

use std::{
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom::{
    audit::{self, AuditPool, AuditQueue, RequestContext},
    id::{Address, EventId, IdleClass, SessionHandle, SessionRef, Shard, ShardCount},
    record::{Base, Change, Delta, EndReason, FieldName, Json, Version, Write},
    store::{
        Commit, Committed, Create, Created, End, Finished, Listing, Loaded, Policy, RedisStore,
        SessionStore as _, SignIn, Touch,
    },
};
use sqlx::PgPool;

use crate::program::{Run, command, run};

const HOUR: Duration = Duration::from_secs(3600);

pub struct Site {
    pub redis_url: String,
    pub postgres_url: String,
    pub namespace: String,
    pub store: RedisStore,
    pub pool: PgPool,
}

/// On this binary's servers, which no test may stop, with the schema made and two shards.
pub async fn shared() -> Site {
    static SERVERS: OnceLock<(servers::Redis, servers::Postgres)> = OnceLock::new();
    let (redis, postgres) =
        SERVERS.get_or_init(|| (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap()));
    let site = Site::new(redis.url(), postgres.create_database(&fresh()).unwrap());
    audit::migrate(&site.pool).await.unwrap();
    site.store.ready().await.unwrap();
    site
}

fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("command-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Site {
    /// Nothing is made yet.
    pub fn new(redis_url: String, postgres_url: String) -> Self {
        let namespace = fresh();
        let store = RedisStore::builder(&redis_url).namespace(&namespace).shards(2).audit(true);
        Self {
            store: store.timeout(Duration::from_secs(10)).build().unwrap(),
            pool: AuditPool::new(postgres_url.as_str()).open().unwrap(),
            redis_url,
            postgres_url,
            namespace,
        }
    }

    pub fn queue(&self) -> AuditQueue {
        self.store.audit_queue()
    }

    /// The program on these servers.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("REDIS_URL", &self.redis_url).env("DATABASE_URL", &self.postgres_url);
        command.env("CLOAKROOM_NAMESPACE", &self.namespace);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Run {
        run(self.command(arguments)).await
    }

    /// Redis loses this namespace, and no other test's.
    pub async fn forget(&self) {
        let client = redis::Client::open(self.redis_url.as_str()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let mut keys = redis::cmd("KEYS");
        let keys: Vec<String> =
            keys.arg(format!("{}:*", self.namespace)).query_async(&mut redis).await.unwrap();
        redis::cmd("DEL").arg(keys).query_async::<u64>(&mut redis).await.unwrap();
    }

    pub async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM cloakroom.session_event")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Lets the program's own writer store what waits.
    pub async fn drain(&self) {
        self.drain_with(&["writer"]).await;
    }

    /// The same, sealed with the key in this file.
    pub async fn drain_sealed(&self, key: &str) {
        self.drain_with(&["writer", "--seal-key", key]).await;
    }

    async fn drain_with(&self, arguments: &[&str]) {
        let writer = crate::program::Running::start(self.command(arguments));
        until("everything is stored", async || self.queue().is_empty().await.unwrap()).await;
        let (status, ..) = tokio::task::spawn_blocking(move || writer.stop("TERM")).await.unwrap();
        assert!(status.success());
    }

    /// On the first of the two shards, and in no list.
    pub async fn sign_in(&self, user: &str) -> Visit {
        self.sign_in_at(user, address(ShardCount::new(2).unwrap().iter().next().unwrap()), None).await
    }

    /// Where the application signs this user in, and listed.
    pub async fn sign_in_listed(&self, user: &str) -> Visit {
        let listing = Listing {
            handle: SessionHandle::random().unwrap(),
            address: None,
            cap: None,
            began: None,
            replaces: None,
            remember: HOUR,
        };
        self.sign_in_at(user, address(ShardCount::new(2).unwrap().of_user(user)), Some(listing)).await
    }

    async fn sign_in_at(&self, user: &str, at: Address, listing: Option<Listing>) -> Visit {
        let event = EventId::new();
        let create = Create {
            at,
            event,
            idle: HOUR,
            absolute: 10 * HOUR,
            sign_in: Some(SignIn { user: user.into(), method: Some("passkey".into()), listing }),
            device: Some("phone".into()),
            delta: Delta::default(),
            predecessor: None,
            context: RequestContext::default().into(),
        };
        assert!(matches!(self.store.create(&create).await.unwrap(), Created::Created { .. }));
        let base = Base { version: Version::new(1), head: event };
        Visit { store: self.store.clone(), at, base, user: user.into() }
    }
}

/// A session, step by step.
pub struct Visit {
    store: RedisStore,
    pub at: Address,
    base: Base,
    user: String,
}

impl Visit {
    pub async fn set(&mut self, key: &str, json: &str, secret: bool) {
        let write = Write::Set(Json::from_text(json));
        let change = Change { write, watched: None, secret };
        let event = EventId::new();
        let commit = Commit {
            at: self.at,
            event,
            base: self.base,
            image: Default::default(),
            delta: Delta { clear: false, changes: [(FieldName::new(key).unwrap(), change)].into() },
            policy: Policy::Merge,
            idle: HOUR,
            touch: Touch::Refresh,
            renewal: None,
            user: Some(self.user.clone()),
            context: RequestContext::default().into(),
        };
        match self.store.commit(&commit).await.unwrap() {
            Committed::Committed { version, .. } => self.base = Base { version, head: event },
            other => panic!("{other:?}"),
        }
    }

    /// A value, where the session is alive.
    pub async fn get(&self, key: &str) -> Option<String> {
        match self.store.load(self.at, Touch::Peek, HOUR).await.unwrap() {
            Loaded::Found(record) => Some(record.fields.get(key).unwrap().value.as_str().to_owned()),
            _ => None,
        }
    }

    pub async fn end(&self) {
        let end = End {
            at: self.at,
            event: EventId::new(),
            reason: EndReason::LoggedOut,
            keep_fields: false,
            remember: HOUR,
            user: Some(self.user.clone()),
            context: RequestContext::default().into(),
        };
        assert!(matches!(self.store.end(&end).await.unwrap(), Finished::Ended { .. }));
    }
}

/// A fresh file name.
pub fn file(name: &str) -> String {
    let path = format!("{}/{}-{}-{name}", env!("CARGO_TARGET_TMPDIR"), fresh(), std::process::id());
    let _ = std::fs::remove_file(&path);
    path
}

fn address(shard: Shard) -> Address {
    let mut bytes = [0; 32];
    for part in bytes.chunks_mut(8) {
        // The last half of an event id is random, which saves a dependency.
        part.copy_from_slice(&EventId::new().as_bytes()[8..]);
    }
    Address { reference: SessionRef::from_bytes(bytes), shard, class: IdleClass::default() }
}

/// Waits for a condition, a minute at most.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited a minute in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
