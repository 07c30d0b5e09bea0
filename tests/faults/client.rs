//! A browser and a server in one: requests to a small counter behind the layer.

use std::{convert::Infallible, time::Duration};

use cloakroom::{
    error::Error,
    service::SessionLayer,
    session::{Key, Session},
    store::{RedisStore, SessionStore as _},
};
use http::{Request, Response, StatusCode, header};
use tower::{Layer as _, ServiceExt as _, service_fn};

const COUNT: Key<u64> = Key::new("count");

/// Longer than any answer takes on a busy machine, shorter than a test may take.
pub const TIMEOUT: Duration = Duration::from_millis(1500);

pub struct Client {
    layer: SessionLayer,
    cookie: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub set_cookie: Option<String>,
    pub retry_after: bool,
    pub body: String,
}

impl Client {
    pub fn of(store: RedisStore) -> Self {
        Self { layer: SessionLayer::new(store), cookie: None }
    }

    pub fn at(url: &str) -> Self {
        Self::of(store(url))
    }

    /// `/` shows the counter, `/add` increments it, `/login`, `/logout`.
    pub async fn get(&mut self, path: &str) -> Answer {
        let mut request = Request::get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let service = self.layer.layer(service_fn(handle));
        let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let set_cookie = response.headers().get(header::SET_COOKIE).map(|v| v.to_str().unwrap().to_owned());
        if let Some(line) = &set_cookie {
            let pair = line.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        Answer {
            status: response.status(),
            set_cookie,
            retry_after: response.headers().contains_key(header::RETRY_AFTER),
            body: response.into_body(),
        }
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
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.set_cookie, None);
        assert!(answer.retry_after);
        assert_eq!(answer.body, "", "no driver's text");
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

pub fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).timeout(TIMEOUT).audit(true).build().unwrap()
}

/// Sets the namespace up, so that what a test counts or cuts is the request's own.
pub async fn prepared(url: &str) -> RedisStore {
    let store = store(url);
    store.ready().await.unwrap();
    store
}

async fn handle(request: Request<()>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap().clone();
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
    match path {
        "/add" => session.update(COUNT, |count| count.unwrap_or(0) + 1)?,
        "/big" => session.insert("big", &"x".repeat(50_000))?,
        "/login" => session.login(cloakroom::session::Login::user("alice").carry_all())?,
        "/logout" => session.logout()?,
        "/renew" => session.renew()?,
        _ => {}
    }
    Ok(session.get(COUNT)?.unwrap_or(0).to_string())
}
