//! The stores under the bridge.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    bridge::Bridge,
    error::Error,
    id::{Address, ShardCount},
    record::SessionInfo,
    store::{
        Commit, Committed, Create, Created, End, Finished, Loaded, MemoryStore, Raise, RedisStore, Reserved,
        Revocation, Revoked, SessionStore, Touch,
    },
};

pub struct Backend {
    pub store: Bridge<Any>,
    pub namespace: String,
}

#[derive(Clone)]
pub enum Any {
    Memory(MemoryStore),
    Redis(RedisStore),
}

pub fn memory() -> Backend {
    let store = Any::Memory(MemoryStore::new().with_audit());
    Backend { store: Bridge::new(store), namespace: String::new() }
}

/// A namespace of its own on this binary's server.
pub fn redis() -> Backend {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let namespace = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let store = RedisStore::builder(server().url()).namespace(&*namespace).audit(true);
    // These tests are about answers, not about time.
    let store = Any::Redis(store.timeout(Duration::from_secs(30)).build().unwrap());
    Backend { store: Bridge::new(store), namespace }
}

fn server() -> &'static servers::Redis {
    static SERVER: OnceLock<servers::Redis> = OnceLock::new();
    SERVER.get_or_init(|| servers::Redis::start().unwrap())
}

impl Backend {
    /// The trail so far, as JSON texts.
    pub fn trail(&self) -> Vec<String> {
        match self.store.store() {
            Any::Memory(store) => {
                store.trail().into_iter().map(|entry| String::from_utf8(entry.payload).unwrap()).collect()
            }
            Any::Redis(_) => {
                // One session a test, so one stream that has anything in it.
                let lines = self.keys("*:audit").into_iter().flat_map(|key| {
                    let entries = server().command(&["XRANGE", &key, "-", "+"]).unwrap();
                    entries
                        .lines()
                        .filter(|line| line.starts_with('{'))
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                });
                lines.collect()
            }
        }
    }

    fn keys(&self, pattern: &str) -> Vec<String> {
        let keys = server().command(&["KEYS", &format!("{}:{pattern}", self.namespace)]).unwrap();
        keys.lines().map(str::to_owned).collect()
    }

    /// Everything that Redis holds of this test's sessions; nothing for the embedded store.
    pub fn dump(&self) -> String {
        match self.store.store() {
            Any::Memory(_) => String::new(),
            Any::Redis(_) => {
                let keys = self.keys("*:s:*");
                let hashes = keys.iter().map(|key| server().command(&["HGETALL", key]).unwrap());
                format!("{keys:?} {}", hashes.collect::<String>())
            }
        }
    }

    /// Lets the sessions have so many milliseconds left, where the store can.
    pub fn age(&self, millis: i64) {
        if let Any::Redis(_) = self.store.store() {
            for key in self.keys("*:s:*") {
                server().command(&["PEXPIRE", &key, &millis.to_string()]).unwrap();
            }
        }
    }

    /// Overwrites a field of the only session. False where that can't be done.
    pub fn damage(&self, field: &str) -> bool {
        let Any::Redis(_) = self.store.store() else { return false };
        let keys = self.keys("*:s:*");
        assert_eq!(keys.len(), 1, "{keys:?}");
        // A version, how long the name is and that it is no small value, the name, and no JSON.
        let name = field.trim_start_matches('.');
        let length = char::from(name.len() as u8);
        let value = format!("\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}{length}\0{name}garbage");
        server().command(&["HSET", &keys[0], field, &value]).unwrap();
        // Where it stood before.
        server().command(&["HSET", &keys[0], "p", "p"]).unwrap();
        true
    }

    /// How long the only session lives, in milliseconds, where the store can tell.
    pub fn ttl(&self) -> Option<i64> {
        match self.store.store() {
            Any::Memory(_) => None,
            Any::Redis(_) => {
                let keys = self.keys("*:s:*");
                assert_eq!(keys.len(), 1, "{keys:?}");
                Some(server().command(&["PTTL", &keys[0]]).unwrap().parse().unwrap())
            }
        }
    }
}

macro_rules! both {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Memory($store) => $call,
            Self::Redis($store) => $call,
        }
    };
}

impl SessionStore for Any {
    fn shards(&self) -> ShardCount {
        both!(self, store => store.shards())
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        both!(self, store => store.load(at, touch, idle).await)
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        both!(self, store => store.create(create).await)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        both!(self, store => store.commit(commit).await)
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        both!(self, store => store.end(end).await)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        both!(self, store => store.reserve(create).await)
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        both!(self, store => store.sessions_of(user).await)
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        both!(self, store => store.revoke(revocation).await)
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        both!(self, store => store.raise_epoch(raise).await)
    }

    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        both!(self, store => store.sweep(remember).await)
    }

    async fn ready(&self) -> Result<(), Error> {
        both!(self, store => store.ready().await)
    }
}
