//! From a pair of adapter and store to a running application.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    clock::ManualClock,
    manager::SessionConfig,
    store::{MemoryStore, RedisStore, SessionStore as _},
};
use servers::{Cluster, Redis};

use super::{Adapter, AnyStore, World, store::Kind, world::Servers};

/// Where the sessions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// In this process.
    Memory,
    /// On a Redis server of the test's own.
    Redis,
    /// In a namespace of the test's own, on a cluster of three masters that all tests share.
    Cluster,
}

/// What a test is run with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    adapter: Adapter,
    backend: Backend,
    timeout: Duration,
    durable: bool,
}

/// No test takes longer, whatever goes wrong.
const BOUND: Duration = Duration::from_secs(60);

impl Setup {
    /// Runs a test.
    pub(crate) fn run<T: Future<Output = ()>>(
        adapter: Adapter,
        backend: Backend,
        test: impl FnOnce(Self) -> T,
    ) {
        let setup = Self { adapter, backend, timeout: Duration::from_secs(10), durable: false };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bounded = async { tokio::time::timeout(BOUND, test(setup)).await };
        runtime.block_on(bounded).expect("the test hangs");
        // A handler that is still held must not hold the test.
        runtime.shutdown_background();
    }

    /// How long a request waits for Redis.
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Redis keeps its sessions when it is killed.
    pub(crate) fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// The application with the default configuration.
    pub(crate) async fn start(self) -> World {
        self.with(SessionConfig::default()).await
    }

    /// The application with another configuration. The store is ready, and knows the scripts.
    pub(crate) async fn with(self, config: SessionConfig) -> World {
        let clock = Arc::new(ManualClock::default());
        let (servers, memory) = match self.backend {
            Backend::Memory => (Servers::None, Some(MemoryStore::with_clock(Arc::clone(&clock)))),
            Backend::Redis => {
                let redis = if self.durable { Redis::durable() } else { Redis::start() };
                (Servers::Own(redis.expect("a Redis server")), None)
            }
            Backend::Cluster => (Servers::Shared(shared_cluster()), None),
        };
        let namespace = namespace();
        let timeout = self.timeout;
        let store = match (&servers, memory) {
            (Servers::None, memory) => Kind::Memory(memory.unwrap()),
            (Servers::Own(redis), _) => {
                let store = RedisStore::builder(redis.url()).namespace(&*namespace).timeout(timeout);
                Kind::Redis(store.build().unwrap())
            }
            (Servers::Shared(cluster), _) => {
                let store = RedisStore::cluster(cluster.urls()).namespace(&*namespace).timeout(timeout);
                Kind::Redis(store.build().unwrap())
            }
        };
        let store = AnyStore::new(store);
        store.ready().await.unwrap();
        World::new(self.adapter, store, config, servers, namespace, clock, timeout)
    }
}

/// Started by the first test that wants it, and ended with this process by its supervisor.
fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(3).expect("a Redis Cluster"))
}

fn namespace() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
