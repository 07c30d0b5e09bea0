//! The application with its store, as a test looks behind it.

use std::{collections::BTreeMap, ops::Deref, slice, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::{
    clock::ManualClock,
    id::Token,
    manager::SessionConfig,
    store::{Loaded, RedisStore, SessionStore as _, Touch},
};
use servers::{Cluster, Redis};
use sha2::{Digest as _, Sha256};

use super::{Adapter, AnyStore, Instance, store::Kind};

/// What the store runs on.
pub(super) enum Servers {
    None,
    Own(Redis),
    Shared(&'static Cluster),
}

/// One instance of the application, to which the world dereferences, and everything around it.
pub(crate) struct World {
    instance: Instance,
    pub(crate) store: AnyStore,
    /// Moves the time of a store in memory.
    pub(crate) clock: Arc<ManualClock>,
    adapter: Adapter,
    config: SessionConfig,
    servers: Servers,
    namespace: String,
    timeout: Duration,
}

impl World {
    pub(super) fn new(
        adapter: Adapter,
        store: AnyStore,
        config: SessionConfig,
        servers: Servers,
        namespace: String,
        clock: Arc<ManualClock>,
        timeout: Duration,
    ) -> Self {
        let instance = Instance { app: adapter.app(store.clone(), config.clone()) };
        Self { instance, store, clock, adapter, config, servers, namespace, timeout }
    }

    /// A second instance, as on another machine: it shares nothing but the store, and with Redis only the
    /// server.
    pub(crate) fn another_instance(&self) -> Instance {
        self.another_instance_on(self.adapter)
    }

    /// The same with another adapter, as if one half of the fleet was rewritten.
    pub(crate) fn another_instance_on(&self, adapter: Adapter) -> Instance {
        let store = match &self.servers {
            Servers::None => self.store.clone(),
            Servers::Own(redis) => self.built(RedisStore::builder(redis.url())),
            Servers::Shared(cluster) => self.built(RedisStore::cluster(cluster.urls())),
        };
        Instance { app: adapter.app(store, self.config.clone()) }
    }

    fn built(&self, builder: cloakroom::store::redis::RedisStoreBuilder) -> AnyStore {
        AnyStore::new(Kind::Redis(builder.namespace(&*self.namespace).timeout(self.timeout).build().unwrap()))
    }

    /// The Redis server of this test.
    pub(crate) fn redis(&self) -> &Redis {
        match &self.servers {
            Servers::Own(redis) => redis,
            _ => panic!("this store has no server of its own"),
        }
    }

    /// The same, to kill it.
    pub(crate) fn redis_mut(&mut self) -> &mut Redis {
        match &mut self.servers {
            Servers::Own(redis) => redis,
            _ => panic!("this store has no server of its own"),
        }
    }

    fn nodes(&self) -> &[Redis] {
        match &self.servers {
            Servers::None => &[],
            Servers::Own(redis) => slice::from_ref(redis),
            Servers::Shared(cluster) => cluster.nodes(),
        }
    }

    /// Whether the sessions are in Redis, whose commands can change them.
    #[allow(dead_code, reason = "for the model")]
    pub(crate) fn has_servers(&self) -> bool {
        !self.nodes().is_empty()
    }

    /// Runs a command on the node that its key is on.
    #[allow(dead_code, reason = "for the model")]
    pub(crate) fn command(&self, command: &[&str]) {
        let answers = self.nodes().iter().map(|node| node.command(command));
        let moved = |answer: &std::io::Result<String>| {
            answer.as_ref().is_err_and(|error| error.to_string().starts_with("MOVED"))
        };
        answers.into_iter().find(|answer| !moved(answer)).expect("a node with this key").unwrap();
    }

    /// All keys on all nodes that match `pattern` behind the namespace.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let pattern = format!("{}:{pattern}", self.namespace);
        let keys = self.nodes().iter().map(|node| node.command(&["KEYS", &pattern]).unwrap());
        keys.flat_map(|keys| keys.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// How many sessions are stored.
    pub(crate) fn sessions(&self) -> usize {
        match &self.store.kind {
            Kind::Memory(store) => store.len(),
            Kind::Redis(_) => self.keys("*:s:*").len(),
        }
    }

    /// The Redis key that the session of this token has, if it is there. `kind` as in the table of
    /// [`cloakroom::store::redis`].
    pub(crate) fn key(&self, kind: &str, token: &str) -> Option<String> {
        let token = Token::parse(token.as_bytes()).expect("a token");
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token.address().reference.as_bytes()));
        let keys = self.keys(&format!("*:{kind}:{hash}"));
        assert!(keys.len() <= 1, "{keys:?}");
        keys.into_iter().next()
    }

    /// Whether the store holds a session under this very token.
    pub(crate) async fn holds(&self, token: &str) -> bool {
        match &self.store.kind {
            Kind::Redis(_) => self.key("s", token).is_some(),
            Kind::Memory(store) => {
                let at = Token::parse(token.as_bytes()).expect("a token").address();
                match store.load(at, Touch::Peek, Duration::ZERO).await.unwrap() {
                    Loaded::Found(record) => !record.superseded,
                    _ => false,
                }
            }
        }
    }

    /// The commands that Redis ran since `reset_stats()`, those aside by which the test asks.
    pub(crate) fn commands(&self) -> BTreeMap<String, u64> {
        let mut calls = self.redis().command_calls();
        calls.retain(|name, _| name != "info" && name != "config|resetstat");
        calls
    }
}

impl Deref for World {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}
