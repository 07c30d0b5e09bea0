//! An application on tower-sessions, and somebody who visits it.

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{Request, header},
    routing::get,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tower::ServiceExt as _;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use crate::backend::Backend;

pub fn app(backend: &Backend, expiry: Option<Expiry>) -> Router {
    let mut layer = SessionManagerLayer::new(backend.store.clone()).with_secure(true);
    if let Some(expiry) = expiry {
        layer = layer.with_expiry(expiry);
    }
    Router::new()
        .route("/idle", get(async |_: Session| "nothing"))
        .route("/put/{key}/{value}", get(put))
        .route(
            "/take/{key}",
            get(async |session: Session, Path(key): Path<String>| {
                session.remove_value(&key).await.unwrap();
            }),
        )
        .route("/show/{key}", get(show))
        .route("/new-id", get(async |session: Session| session.cycle_id().await.unwrap()))
        .route("/flush", get(async |session: Session| session.flush().await.unwrap()))
        .route(
            "/for-a-day",
            get(async |session: Session| {
                let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
                session.set_expiry(Some(Expiry::AtDateTime(tomorrow)));
            }),
        )
        .route(
            "/for-the-browser-session",
            get(async |session: Session| {
                session.set_expiry(Some(Expiry::OnSessionEnd));
            }),
        )
        .layer(layer)
}

async fn put(session: Session, Path((key, value)): Path<(String, u64)>) {
    session.insert(&key, value).await.unwrap();
}

async fn show(session: Session, Path(key): Path<String>) -> String {
    session.get_value(&key).await.unwrap().unwrap_or(Value::Null).to_string()
}

/// A response, as far as it matters here.
pub struct Page {
    pub status: u16,
    /// The whole `Set-Cookie` line.
    pub cookie: Option<String>,
    pub text: String,
}

impl Page {
    /// `name=value` of the cookie that it sets.
    #[track_caller]
    pub fn pair(&self) -> String {
        let line = self.cookie.as_deref().expect("a cookie");
        line.split(';').next().unwrap().to_owned()
    }

    /// `Max-Age` of the cookie that it sets, in seconds.
    pub fn max_age(&self) -> Option<i64> {
        let line = self.cookie.as_deref().expect("a cookie");
        line.split("; ").find_map(|part| part.strip_prefix("Max-Age=")).map(|age| age.parse().unwrap())
    }
}

/// Gets `path` with this `Cookie` line, which may be empty.
pub async fn visit(app: &Router, cookie: &str, path: &str) -> Page {
    let mut request = Request::get(path);
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let cookie = response.headers().get(header::SET_COOKIE).map(|line| line.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    Page { status, cookie, text: String::from_utf8(text.to_vec()).unwrap() }
}
