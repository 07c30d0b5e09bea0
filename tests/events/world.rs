//! Two instances over one store, and requests to them.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    error::Error,
    events::{Notice, SessionEvent, SessionEvents, Watch},
    manager::SessionConfig,
    service::SessionLayer,
    session::{Session, SessionAdmin},
    store::{MemoryStore, RedisStore, SessionStore},
};
use http::{Request, Response, header};
use std::sync::Arc;
use tower::{Layer as _, ServiceExt as _, service_fn};

pub struct World {
    pub here: SessionLayer,
    pub there: SessionLayer,
    pub admin: SessionAdmin,
    pub namespace: String,
    /// `None`: in this process.
    pub redis: Option<&'static servers::Redis>,
}

/// For what must come; far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn memory() -> World {
    let store = MemoryStore::new();
    World::over(&[store.clone(), store], String::new(), None)
}

pub fn redis() -> World {
    static SERVER: OnceLock<servers::Redis> = OnceLock::new();
    on(SERVER.get_or_init(|| servers::Redis::start().unwrap()))
}

/// On a server of one's own, for what stops it or counts its commands.
pub fn on(server: &'static servers::Redis) -> World {
    let namespace = fresh();
    let store = || RedisStore::builder(server.url()).namespace(&*namespace).shards(1).events(true);
    let stores = [store().build().unwrap(), store().build().unwrap()];
    World::over(&stores, namespace, Some(server))
}

pub fn own() -> World {
    on(Box::leak(Box::new(servers::Redis::start().unwrap())))
}

pub fn cluster() -> World {
    static CLUSTER: OnceLock<servers::Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| servers::Cluster::start(3).unwrap());
    let namespace = fresh();
    let store = || RedisStore::cluster(cluster.urls()).namespace(&*namespace).timeout(PATIENCE).events(true);
    World::over(&[store().build().unwrap(), store().build().unwrap()], namespace, None)
}

fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl World {
    fn over(
        stores: &[impl SessionStore + Clone; 2],
        namespace: String,
        redis: Option<&'static servers::Redis>,
    ) -> Self {
        let [here, there] = stores.clone();
        let admin = SessionAdmin::new(there.clone());
        // Whatever is noticed in these tests is noticed by an event, unless they say otherwise.
        let config = SessionConfig::default().with_recheck(Duration::from_secs(3600)).unwrap();
        let layer = |store| SessionLayer::with_config(store, config.clone());
        Self { here: layer(here), there: layer(there), admin, namespace, redis }
    }

    pub async fn listen(&self, watch: &Watch) -> Listener {
        Listener(self.admin.events(watch).await.unwrap())
    }

    pub fn command(&self, command: &[&str]) -> String {
        self.redis.unwrap().command(command).unwrap()
    }

    /// The only shard's log.
    pub fn log(&self) -> String {
        let keys = self.command(&["KEYS", &format!("{}:*:ev", self.namespace)]);
        keys.split_whitespace().next().unwrap().to_owned()
    }
}

/// A request whose handler is `work`. The cookie that the client has afterwards.
pub async fn visit<F>(instance: &SessionLayer, cookie: &str, work: impl Fn(Session) -> F) -> String
where
    F: Future<Output = Result<(), Error>>,
{
    let handler = service_fn(async |request: Request<()>| {
        work(request.extensions().get::<Session>().unwrap().clone()).await?;
        Ok::<_, Error>(Response::new(String::new()))
    });
    let request = Request::builder().header(header::COOKIE, cookie).body(()).unwrap();
    let response = instance.layer(handler).oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{response:?}");
    match response.headers().get(header::SET_COOKIE) {
        Some(line) => line.to_str().unwrap().split(';').next().unwrap().to_owned(),
        None => cookie.to_owned(),
    }
}

/// A handle of its own to the session behind `cookie`.
pub async fn apart(instance: &SessionLayer, cookie: &str) -> Session {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    visit(instance, cookie, async |session| {
        tell.send(session.detach()).unwrap();
        Ok(())
    })
    .await;
    told.recv().await.unwrap()
}

pub async fn sign_in(instance: &SessionLayer, user: &str) -> String {
    visit(instance, "", async |session| session.login(user)).await
}

pub async fn write(instance: &SessionLayer, cookie: &str, key: &str) -> String {
    visit(instance, cookie, async |session| session.insert(key, &1)).await
}

pub struct Listener(pub SessionEvents);

impl Listener {
    pub async fn notice(&mut self) -> Notice {
        tokio::time::timeout(PATIENCE, self.0.next()).await.expect("an event should come").unwrap()
    }

    pub async fn event(&mut self) -> Arc<SessionEvent> {
        match self.notice().await {
            Notice::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    /// What is told before the event that changed this key.
    pub async fn until(&mut self, key: &str) -> Vec<Notice> {
        let mut before = Vec::new();
        loop {
            match self.notice().await {
                Notice::Event(event) if event.keys == [key] => return before,
                other => before.push(other),
            }
        }
    }
}
