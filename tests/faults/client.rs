//! A browser and a server in one: requests to a small counter behind the layer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use cloakroom::{
    error::Error,
    manager::SessionConfig,
    service::SessionLayer,
    session::{Key, Login, Session},
    store::{Durability, RedisStore, SessionStore as _},
};
use http::{Request, Response, StatusCode, header};
use tokio::{sync::Semaphore, task::JoinHandle};
use tower::{Layer as _, ServiceExt as _, service_fn};

const COUNT: Key<u64> = Key::new("count");

/// Longer than any answer takes on a busy machine, shorter than a test may take.
pub const TIMEOUT: Duration = Duration::from_millis(1500);

#[derive(Clone)]
pub struct Client {
    layer: SessionLayer,
    cookie: Option<String>,
    /// The token that it came with.
    first: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub set_cookie: Option<String>,
    pub retry_after: bool,
    pub body: String,
}

impl Client {
    pub fn of(store: RedisStore) -> Self {
        Self { layer: SessionLayer::new(store), cookie: None, first: None }
    }

    pub fn with(store: RedisStore, config: SessionConfig) -> Self {
        Self { layer: SessionLayer::with_config(store, config), cookie: None, first: None }
    }

    pub fn at(url: &str) -> Self {
        Self::of(store(url))
    }

    /// The same visitor on another instance of the application.
    pub fn on(&self, store: RedisStore) -> Self {
        let first = self.token().map(str::to_owned);
        Self { layer: SessionLayer::new(store), cookie: self.cookie.clone(), first }
    }

    /// What the cookie says.
    pub fn token(&self) -> Option<&str> {
        self.cookie.as_deref()?.split_once('=').map(|(_, token)| token)
    }

    /// What it said when this instance was first asked.
    pub fn first_token(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// The path is what the handler does: `/` shows the counter, `/add` increments it, `/add/login`
    /// increments it and signs in, and so on. See [`act`].
    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = send(self.layer.clone(), self.request(path)).await;
        self.take(answer)
    }

    fn request(&self, path: &str) -> Request<()> {
        let mut request = Request::get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.body(()).unwrap()
    }

    /// Starts a request and answers when its session is loaded and its handler about to act.
    pub async fn hold(&self, path: &str) -> Held {
        let gate = Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))));
        let mut request = self.request(path);
        request.extensions_mut().insert(gate.clone());
        let task = tokio::spawn(send(self.layer.clone(), request));
        let there = tokio::time::timeout(Duration::from_secs(30), gate.0.0.acquire()).await;
        there.expect("the session was not loaded").unwrap().forget();
        Held { gate, task }
    }

    /// Lets a held request on.
    pub async fn release(&mut self, held: Held) -> Answer {
        held.gate.0.1.add_permits(1);
        let answer = held.task.await.unwrap();
        self.take(answer)
    }

    fn take(&mut self, answer: Answer) -> Answer {
        if let Some(line) = &answer.set_cookie {
            let pair = line.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    pub async fn expect(&mut self, path: &str, body: &str) {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, body), "{path}");
    }

    /// The answer to an outage: bounded, honest, and the cookie is left alone.
    pub async fn expect_unavailable(&mut self, path: &str) {
        let before = tokio::time::Instant::now();
        let answer = self.get(path).await;
        assert!(before.elapsed() < TIMEOUT * 2, "{:?}", before.elapsed());
        answer.assert_unavailable(path);
    }

    /// Asks until the answer is no 503 any more: a reconnect takes its time.
    pub async fn recovered(&mut self, path: &str) -> Answer {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.get(path).await;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "still unavailable");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Answer {
    #[track_caller]
    pub fn assert_unavailable(&self, what: &str) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
        assert_eq!(self.set_cookie, None, "{what}");
        assert!(self.retry_after, "{what}");
        assert_eq!(self.body, "", "no driver's text: {what}");
    }
}

/// A request that waits between its load and what its handler does.
#[must_use]
pub struct Held {
    gate: Gate,
    task: JoinHandle<Answer>,
}

/// The handler is there; it may go on.
#[derive(Clone)]
struct Gate(Arc<(Semaphore, Semaphore)>);

pub fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).timeout(TIMEOUT).audit(true).build().unwrap()
}

/// Sets the namespace up, so that what a test counts or cuts is the request's own.
pub async fn prepared(url: &str) -> RedisStore {
    let store = store(url);
    store.ready().await.unwrap();
    store
}

async fn send(layer: SessionLayer, request: Request<()>) -> Answer {
    let response = layer.layer(service_fn(handle)).oneshot(request).await.unwrap();
    let set_cookie = response.headers().get(header::SET_COOKIE).map(|v| v.to_str().unwrap().to_owned());
    Answer {
        status: response.status(),
        set_cookie,
        retry_after: response.headers().contains_key(header::RETRY_AFTER),
        body: response.into_body(),
    }
}

async fn handle(request: Request<()>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap().clone();
    if let Some(gate) = request.extensions().get::<Gate>() {
        gate.0.0.add_permits(1);
        gate.0.1.acquire().await.unwrap().forget();
    }
    Ok(act(&session, request.uri().path()).map_or_else(
        |error| {
            let mut response = Response::new(error.to_string());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        },
        Response::new,
    ))
}

fn act(session: &Session, path: &str) -> Result<String, Error> {
    for verb in path.split('/') {
        match verb {
            "add" => session.update(COUNT, |count| count.unwrap_or(0) + 1)?,
            // Another key: it merges with everything.
            "other" => session.update("other", |count: Option<u64>| count.unwrap_or(0) + 1)?,
            "big" => session.insert("big", &"x".repeat(50_000))?,
            "login" => session.login(Login::user("alice").carry_all())?,
            "logout" => session.logout()?,
            "renew" => session.renew()?,
            "prove" => session.reauthenticate("otp")?,
            "sure" => session.set_durability(Durability::replicated(1, TIMEOUT)?),
            "who" => return Ok(session.get::<String>("owner")?.unwrap_or_default()),
            "user" => return Ok(session.user().unwrap_or_default()),
            "ended" => return Ok(session.ended().map_or_else(String::new, |e| e.reason.as_str().to_owned())),
            _ => {
                if let Some(owner) = verb.strip_prefix("is:") {
                    session.insert("owner", &owner)?;
                }
            }
        }
    }
    Ok(session.get(COUNT)?.unwrap_or(0).to_string())
}
