//! What the benchmarks of the store share: private servers, sessions, and commits that follow one another.

use std::{sync::Arc, time::Duration};

use cloakroom::{
    audit::RequestContext,
    id::{Address, EventId, IdleClass, SessionRef, ShardCount},
    record::{Base, Change, Delta, FieldName, Image, Json, Write},
    store::{
        Commit, Committed, Create, Created, Loaded, Policy, RedisStore, SessionStore as _, Touch,
        redis::RedisStoreBuilder,
    },
};
use redis::{RedisResult, aio::MultiplexedConnection, cluster_async::ClusterConnection};

pub(crate) const IDLE: Duration = Duration::from_secs(3600);

/// Redis, private.
pub(crate) enum Place {
    One(servers::Redis),
    Cluster(servers::Cluster),
}

impl Place {
    pub(crate) fn nodes(&self) -> &[servers::Redis] {
        match self {
            Self::One(redis) => std::slice::from_ref(redis),
            Self::Cluster(cluster) => cluster.nodes(),
        }
    }

    /// Processor time of all its nodes so far, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.nodes().iter().map(|node| report::cpu(node.pid())).sum()
    }

    /// What a writer would do: no entry waits.
    pub(crate) fn drain(&self) {
        let script = "for _, key in ipairs(redis.call('KEYS', '*:audit')) do redis.call('XTRIM', key, 'MAXLEN', 0) end";
        for node in self.nodes() {
            node.command(&["EVAL", script, "0"]).unwrap();
        }
    }

    pub(crate) async fn store(&self, namespace: &str, audit: bool) -> RedisStore {
        ready(self.builder(namespace).audit(audit)).await
    }

    /// One that tells events.
    pub(crate) async fn telling(&self, namespace: &str) -> RedisStore {
        ready(self.builder(namespace).events(true)).await
    }

    /// One that tells events, and audits.
    pub(crate) async fn telling_all(&self, namespace: &str) -> RedisStore {
        ready(self.builder(namespace).audit(true).events(true)).await
    }

    fn builder(&self, namespace: &str) -> RedisStoreBuilder {
        let builder = match self {
            Self::One(redis) => RedisStore::builder(redis.url()),
            Self::Cluster(cluster) => RedisStore::cluster(cluster.urls()),
        };
        // The first commit after a fill must not fail for a slow machine.
        builder.namespace(namespace).timeout(Duration::from_secs(10))
    }

    pub(crate) async fn bare(&self) -> Bare {
        match self {
            Self::One(redis) => {
                let client = redis::Client::open(redis.url()).unwrap();
                Bare::One(client.get_multiplexed_async_connection().await.unwrap())
            }
            Self::Cluster(cluster) => {
                let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
                Bare::Cluster(client.get_async_connection().await.unwrap())
            }
        }
    }
}

async fn ready(builder: RedisStoreBuilder) -> RedisStore {
    let store = builder.build().unwrap();
    store.ready().await.unwrap();
    store
}

/// What a bare command costs on the same kind of connection.
#[derive(Clone)]
pub(crate) enum Bare {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Bare {
    pub(crate) async fn ask(&mut self, command: &redis::Cmd) -> redis::Value {
        match self {
            Self::One(link) => command.query_async(link).await,
            Self::Cluster(link) => command.query_async(link).await,
        }
        .unwrap()
    }

    pub(crate) async fn set(&mut self, key: &str, value: &str) {
        self.ask(redis::cmd("SET").arg(key).arg(value)).await;
    }

    pub(crate) async fn get(&mut self, key: &str) {
        let mut command = redis::cmd("GET");
        command.arg(key);
        let value: RedisResult<Vec<u8>> = match self {
            Self::One(link) => command.query_async(link).await,
            Self::Cluster(link) => command.query_async(link).await,
        };
        assert!(!value.unwrap().is_empty());
    }
}

/// Makes a session of `keys` values, on the shard of number `nth`.
pub(crate) async fn begin(store: &RedisStore, nth: usize, keys: usize, value: &str) -> Address {
    let create = creation(nth, keys, value);
    assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
    create.at
}

pub(crate) fn creation(nth: usize, keys: usize, value: &str) -> Create {
    // Random enough: it is a UUIDv7.
    let mut reference = [0; 32];
    reference[..16].copy_from_slice(EventId::new().as_bytes());
    let shards = ShardCount::default();
    let shard = shards.iter().nth(nth % usize::from(shards.get())).unwrap();
    let at = Address { reference: SessionRef::from_bytes(reference), shard, class: IdleClass::default() };
    Create {
        at,
        event: EventId::new(),
        idle: IDLE,
        absolute: IDLE * 24,
        sign_in: None,
        device: None,
        delta: delta((0..keys).map(|n| (format!("key-{n}"), value.to_owned()))),
        predecessor: None,
        context: Arc::new(RequestContext::default()),
    }
}

fn delta<K: AsRef<str>>(values: impl IntoIterator<Item = (K, String)>) -> Delta {
    let changes = values.into_iter().map(|(name, value)| {
        let change = Change { write: Write::Set(Json::from_text(value)), watched: Some(true), secret: false };
        (FieldName::new(name.as_ref()).unwrap(), change)
    });
    Delta { clear: false, changes: changes.collect() }
}

pub(crate) async fn load(store: &RedisStore, at: Address, touch: Touch) -> (Base, Image) {
    match store.load(at, touch, IDLE).await.unwrap() {
        Loaded::Found(record) => (record.base, record.image),
        other => panic!("{other:?}"),
    }
}

/// Commits of one session that follow one another: each names the version that the last one made.
#[derive(Clone)]
pub(crate) struct Commits {
    at: Address,
    base: Base,
    image: Image,
    context: Arc<RequestContext>,
}

impl Commits {
    pub(crate) async fn of(store: &RedisStore, at: Address) -> Self {
        let mut context = RequestContext::default();
        context.method = Some("POST".to_owned());
        context.route = Some("/cart/add".to_owned());
        context.ip = Some([203, 0, 113, 7].into());
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        context.user_agent = Some(agent.to_owned());
        let (base, image) = load(store, at, Touch::Refresh).await;
        Self { at, base, image, context: Arc::new(context) }
    }

    /// The next one: one small value, which the request had read before.
    pub(crate) fn next(&self) -> Commit {
        Commit {
            at: self.at,
            event: EventId::new(),
            base: self.base,
            image: self.image.clone(),
            delta: delta([("counter", self.base.version.to_string())]),
            policy: Policy::Merge,
            idle: IDLE,
            touch: Touch::Refresh,
            renewal: None,
            user: None,
            context: Arc::clone(&self.context),
        }
    }

    pub(crate) async fn run(&mut self, store: &RedisStore) {
        let commit = self.next();
        match store.commit(&commit).await.unwrap() {
            Committed::Committed { version, image, .. } => {
                self.base = Base { version, head: commit.event };
                self.image = image;
            }
            other => panic!("{other:?}"),
        }
    }
}
