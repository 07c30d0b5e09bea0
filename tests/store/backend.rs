//! The stores under test, and requests to them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    audit::RequestContext,
    clock::ManualClock,
    error::Error,
    id::{Address, EventId, IdleClass, SessionRef, Shard, ShardCount},
    record::{Base, Change, Delta, EndReason, FieldName, Json, Record, SessionInfo, Version, Write},
    store::{
        Commit, Committed, Create, Created, End, Finished, Loaded, MemoryStore, Policy, Raise, RedisStore,
        Renewal, Reserved, Revocation, Revoked, SessionStore, Touch,
    },
};

/// A store, and how to let its time pass.
pub struct Backend {
    pub store: Any,
    clock: Option<Arc<ManualClock>>,
    /// The masters, and whose keys there are this test's.
    pub nodes: Vec<&'static servers::Redis>,
    namespace: String,
}

#[derive(Clone)]
pub enum Any {
    Memory(MemoryStore),
    Redis(RedisStore),
}

pub const IDLE: Duration = Duration::from_secs(3600);
const ABSOLUTE: Duration = Duration::from_secs(86_400);

pub fn memory() -> Backend {
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::with_clock(clock.clone()).with_audit();
    Backend { clock: Some(clock), ..Backend::of(Any::Memory(store)) }
}

/// A namespace of its own on this binary's server.
pub fn redis() -> Backend {
    static SERVER: OnceLock<servers::Redis> = OnceLock::new();
    let server = SERVER.get_or_init(|| servers::Redis::start().unwrap());
    let namespace = fresh();
    let store =
        RedisStore::builder(server.url()).namespace(&*namespace).audit(true).timeout(PATIENCE).build();
    Backend { nodes: vec![server], namespace, ..Backend::of(Any::Redis(store.unwrap())) }
}

/// The same on this binary's cluster of three masters.
pub fn cluster() -> Backend {
    static CLUSTER: OnceLock<servers::Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| servers::Cluster::start(3).unwrap());
    let namespace = fresh();
    let store =
        RedisStore::cluster(cluster.urls()).namespace(&*namespace).audit(true).timeout(PATIENCE).build();
    let nodes = cluster.nodes().iter().collect();
    Backend { nodes, namespace, ..Backend::of(Any::Redis(store.unwrap())) }
}

/// These tests are about answers, not about time: a busy machine must not turn one into a time-out.
const PATIENCE: Duration = Duration::from_secs(30);

fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Backend {
    /// A store whose time nobody moves.
    pub fn of(store: Any) -> Self {
        Self { store, clock: None, nodes: Vec::new(), namespace: String::new() }
    }

    /// The store as another instance has it, which has seen nothing yet.
    pub fn elsewhere(&self) -> Any {
        let store = match (&self.store, &self.nodes[..]) {
            (Any::Memory(_), _) => return self.store.clone(),
            (_, [one]) => RedisStore::builder(one.url()),
            (_, nodes) => RedisStore::cluster(nodes.iter().map(|node| node.url())),
        };
        let store = store.namespace(&*self.namespace).audit(true).timeout(PATIENCE).build();
        Any::Redis(store.unwrap())
    }

    /// This test's keys of a kind, each with a connection to where it is.
    pub fn keys(&self, kind: &str) -> Vec<(redis::Connection, String)> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let connect = || redis::Client::open(node.url()).unwrap().get_connection().unwrap();
            let pattern = format!("{}:*:{kind}", self.namespace);
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connect()).unwrap();
            found.extend(keys.into_iter().map(|key| (connect(), key)));
        }
        found
    }

    /// The whole trail: version, predecessor (none if there is none), and the payload.
    pub fn trail(&self) -> Vec<(u64, Option<EventId>, serde_json::Value)> {
        let line = |version, predecessor, payload: &[u8]| {
            let predecessor = (predecessor != EventId::NONE).then_some(predecessor);
            (version, predecessor, serde_json::from_slice(payload).unwrap())
        };
        if let Any::Memory(store) = &self.store {
            let trail = store.trail();
            return trail.iter().map(|e| line(e.version.get(), e.predecessor, &e.payload)).collect();
        }
        let mut trail = Vec::new();
        for (mut connection, stream) in self.keys("audit") {
            type Entries = Vec<(String, BTreeMap<String, Vec<u8>>)>;
            let read = redis::cmd("XRANGE").arg(stream).arg("-").arg("+").query::<Entries>(&mut connection);
            trail.extend(read.unwrap().into_iter().map(|(_, entry)| {
                let version = std::str::from_utf8(&entry["v"]).unwrap().parse().unwrap();
                let predecessor = EventId::from_bytes(entry["p"].as_slice().try_into().unwrap());
                line(version, predecessor, &entry["e"])
            }));
        }
        trail
    }

    /// Lets `span` pass: on Redis, whose clock is its own, for real.
    pub async fn pass(&self, span: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(span),
            None => tokio::time::sleep(span).await,
        }
    }

    pub async fn load(&self, at: Address) -> Loaded {
        self.store.load(at, Touch::Refresh, IDLE).await.unwrap()
    }

    pub async fn found(&self, at: Address) -> Record {
        match self.load(at).await {
            Loaded::Found(record) => *record,
            other => panic!("no session at {at:?}: {other:?}"),
        }
    }

    pub async fn create(&self, values: &[(&str, &str)]) -> (Address, Record) {
        let create = creation(values);
        assert!(matches!(self.store.create(&create).await.unwrap(), Created::Created { .. }));
        (create.at, self.found(create.at).await)
    }

    pub async fn commit(&self, commit: &Commit) -> Committed {
        self.store.commit(commit).await.unwrap()
    }

    pub async fn committed(&self, commit: &Commit) -> Version {
        match self.commit(commit).await {
            Committed::Committed { version, .. } => version,
            other => panic!("not committed: {other:?}"),
        }
    }

    pub async fn end(&self, end: &End) -> Finished {
        self.store.end(end).await.unwrap()
    }
}

/// An address as a fresh token has it.
pub fn address() -> Address {
    let mut reference = [0; 32];
    for half in reference.chunks_mut(8) {
        // The last half of an event id is random, which saves a dependency.
        half.copy_from_slice(&EventId::new().as_bytes()[8..]);
    }
    let shard: Shard = ShardCount::default().iter().nth(usize::from(reference[31] % 64)).unwrap();
    Address { reference: SessionRef::from_bytes(reference), shard, class: IdleClass::default() }
}

/// Another address on the same shard.
pub fn beside(at: Address) -> Address {
    Address { reference: address().reference, ..at }
}

pub fn name(name: &str) -> FieldName {
    FieldName::new(name).unwrap()
}

pub fn set(values: &[(&str, &str)]) -> Delta {
    let changes = values.iter().map(|(key, value)| {
        let write = Write::Set(Json::from_text(*value));
        (name(key), Change { write, watched: None, secret: false })
    });
    Delta { clear: false, changes: changes.collect() }
}

/// The same with every key read before it was written.
pub fn set_watched(record: &Record, values: &[(&str, &str)]) -> Delta {
    let mut delta = set(values);
    for (key, change) in &mut delta.changes {
        change.watched = Some(record.fields.contains_key(key.as_str()));
    }
    delta
}

pub fn removal(key: &str) -> Delta {
    let change = Change { write: Write::Remove, watched: None, secret: false };
    Delta { clear: false, changes: [(name(key), change)].into() }
}

pub fn creation(values: &[(&str, &str)]) -> Create {
    Create {
        at: address(),
        event: EventId::new(),
        idle: IDLE,
        absolute: ABSOLUTE,
        sign_in: None,
        device: None,
        delta: set(values),
        predecessor: None,
        context: Arc::new(RequestContext::default()),
    }
}

pub fn change(record: &Record, delta: Delta) -> Commit {
    Commit {
        at: record.address,
        event: EventId::new(),
        base: record.base,
        image: record.image.clone(),
        delta,
        policy: Policy::Merge,
        idle: IDLE,
        touch: Touch::Refresh,
        renewal: None,
        user: None,
        context: Arc::new(RequestContext::default()),
    }
}

/// A move to a new token, whose old one leads there for as long as a test runs.
pub fn renewal(to: Address) -> Renewal {
    Renewal { to, grace: IDLE, remember: 2 * IDLE, anew: None }
}

pub fn ending(at: Address, reason: EndReason) -> End {
    End {
        at,
        event: EventId::new(),
        reason,
        keep_fields: false,
        remember: IDLE,
        user: None,
        context: Arc::new(RequestContext::default()),
    }
}

/// Names and JSON texts.
pub fn values(record: &Record) -> BTreeMap<String, String> {
    let text = |(name, field): (FieldName, cloakroom::record::Field)| {
        (name.to_string(), field.value.as_str().to_owned())
    };
    record.fields.iter().map(text).collect()
}

pub fn is(values: &BTreeMap<String, String>, expected: &[(&str, &str)]) -> bool {
    *values == expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn a_base_of_another_history(record: &Record) -> Base {
    Base { head: EventId::new(), ..record.base }
}

impl SessionStore for Any {
    fn shards(&self) -> ShardCount {
        match self {
            Self::Memory(store) => store.shards(),
            Self::Redis(store) => store.shards(),
        }
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        match self {
            Self::Memory(store) => store.load(at, touch, idle).await,
            Self::Redis(store) => store.load(at, touch, idle).await,
        }
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        match self {
            Self::Memory(store) => store.create(create).await,
            Self::Redis(store) => store.create(create).await,
        }
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        match self {
            Self::Memory(store) => store.commit(commit).await,
            Self::Redis(store) => store.commit(commit).await,
        }
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        match self {
            Self::Memory(store) => store.end(end).await,
            Self::Redis(store) => store.end(end).await,
        }
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        match self {
            Self::Memory(store) => store.reserve(create).await,
            Self::Redis(store) => store.reserve(create).await,
        }
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        match self {
            Self::Memory(store) => store.sessions_of(user).await,
            Self::Redis(store) => store.sessions_of(user).await,
        }
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        match self {
            Self::Memory(store) => store.revoke(revocation).await,
            Self::Redis(store) => store.revoke(revocation).await,
        }
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        match self {
            Self::Memory(store) => store.raise_epoch(raise).await,
            Self::Redis(store) => store.raise_epoch(raise).await,
        }
    }

    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        match self {
            Self::Memory(store) => store.sweep(remember).await,
            Self::Redis(store) => store.sweep(remember).await,
        }
    }

    async fn ready(&self) -> Result<(), Error> {
        match self {
            Self::Memory(store) => store.ready().await,
            Self::Redis(store) => store.ready().await,
        }
    }
}
