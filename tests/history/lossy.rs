//! A commit is done, its answer is lost, and before it is asked for again the session moves to another token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use cloakroom::{
    error::Error,
    id::{Address, ShardCount},
    record::SessionInfo,
    service::SessionLayer,
    session::{Saved, Session},
    store::{
        Commit, Committed, Create, Created, End, Finished, Loaded, MemoryStore, Raise, RedisStore, Reserved,
        Revocation, Revoked, SessionStore, Touch,
    },
};
use http::{Request, Response, header};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// Loses the answer to the next commit.
#[derive(Clone)]
struct Lossy {
    inner: MemoryStore,
    lose: Arc<AtomicBool>,
    /// Nobody is there: what it says is what a client hears whose answer was lost.
    nobody: RedisStore,
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_happens_once_in_a_session_that_moved() {
    let nobody = RedisStore::builder("redis://127.0.0.1:1").timeout(Duration::from_secs(10)).build().unwrap();
    let store = Lossy { inner: MemoryStore::new().with_audit(), lose: Arc::default(), nobody };
    let layer = SessionLayer::new(store.clone());
    let count = |session: &Session| session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1).unwrap();

    let cookie = visit(&layer, None, async move |session| count(&session)).await.unwrap();
    let (other, of_other, lose) = (layer.clone(), cookie.clone(), Arc::clone(&store.lose));
    visit(&layer, Some(&cookie), async move |session| {
        count(&session);
        lose.store(true, SeqCst);
        session.save().await.unwrap_err();
        visit(&other, Some(&of_other), async |session| session.renew().unwrap()).await.unwrap();
        let saved = session.save().await.unwrap();
        assert!(matches!(saved, Saved::Saved(Some(_))), "{saved:?}");
        assert_eq!(session.get::<u64>("n").unwrap(), Some(2));
    })
    .await;
    let kinds: Vec<_> =
        store.inner.trail().iter().map(|entry| entry.parse().unwrap().kind.into_owned()).collect();
    assert_eq!(kinds, ["created", "changed", "renewed"]);
}

/// One request; answers the new cookie, if there is one.
async fn visit(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl AsyncFnOnce(Session),
) -> Option<String> {
    let mut request = Request::post("/");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let handler = std::cell::Cell::new(Some(handler));
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap().clone();
        handler.take().unwrap()(session).await;
        Ok::<_, std::convert::Infallible>(Response::new(()))
    }));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let line = response.headers().get(header::SET_COOKIE)?.to_str().unwrap();
    line.split(';').next().map(str::to_owned)
}

impl SessionStore for Lossy {
    fn shards(&self) -> ShardCount {
        self.inner.shards()
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        self.inner.load(at, touch, idle).await
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        self.inner.create(create).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        let answer = self.inner.commit(commit).await;
        if self.lose.swap(false, SeqCst) { self.nobody.commit(commit).await } else { answer }
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        self.inner.end(end).await
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        self.inner.reserve(create).await
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        self.inner.sessions_of(user).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        self.inner.revoke(revocation).await
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        self.inner.raise_epoch(raise).await
    }

    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        self.inner.sweep(remember).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.inner.ready().await
    }
}
