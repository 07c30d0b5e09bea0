//! The application: a request's body is a list of steps, and the answer tells what they came to.

use std::time::Duration;

use axum::{Router, body::Body, routing::post};
use cloakroom::{
    error::Error,
    manager::SessionConfig,
    service::{SessionLayer, TextBody},
    session::{Key, Login, ReplayPolicy, Session},
    store::RedisStore,
};
use http::{Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json, value::RawValue};
use tower::ServiceExt as _;

const COOKIE: &str = "__Host-Http-id";

#[derive(Clone)]
pub struct App(Router);

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The cookie that the answer set.
    pub token: Option<String>,
    pub told: Vec<Value>,
}

impl App {
    pub fn new(store: RedisStore, absolute: Duration) -> Self {
        let config = SessionConfig::default().with_absolute_timeout(absolute).unwrap();
        Self::of(store, config.with_replay_policy(ReplayPolicy::Revoke))
    }

    pub fn of(store: RedisStore, config: SessionConfig) -> Self {
        let sessions = SessionLayer::with_config(store, config).with_reply(TextBody);
        Self(Router::new().route("/", post(act)).layer(sessions))
    }

    pub async fn run(&self, token: &str, steps: &str) -> Answer {
        let mut request = Request::post("/").header(header::HOST, "example.com");
        if !token.is_empty() {
            request = request.header(header::COOKIE, format!("{COOKIE}={token}"));
        }
        let request = request.body(Body::from(steps.to_owned())).unwrap();
        let (head, body) = self.0.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let lines = head.headers.get_all(header::SET_COOKIE).iter();
        let lines = lines.filter_map(|line| line.to_str().unwrap().strip_prefix(COOKIE)?.strip_prefix('='));
        let mut values = lines.map(|line| line.split(';').next().unwrap().to_owned());
        Answer {
            status: head.status.as_u16(),
            token: values.rfind(|value| !value.is_empty()),
            told: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }
}

async fn act(session: Session, steps: String) -> Result<String, Error> {
    let mut told = Vec::new();
    for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let raw = || RawValue::from_string(value.to_owned()).unwrap();
        match verb {
            "write" => session.insert(key, &raw())?,
            "secret" => session.insert(Key::dynamic(key).secret(), &raw())?,
            "remove" => session.remove(key)?,
            "clear" => session.clear()?,
            "inc" => session.increment(key, 1)?,
            // As an application does that counts only what its users do.
            "tick" => {
                if session.user().is_some() {
                    session.increment(key, 1)?;
                }
                told.push(json!(session.user().is_some()));
            }
            "max" => session.max(key, value.parse().unwrap())?,
            "push" => session.push_capped(key, &raw(), 3)?,
            "put" => session.set_add(key, &raw())?,
            "drop" => session.set_remove(key, &raw())?,
            "secretly" => session.increment(Key::<i64>::dynamic(key).secret(), 1)?,
            "update" => session.update(Key::<i64>::dynamic(key), |n| n.unwrap_or(0) + 7)?,
            "take" => told.push(json!(session.take(Key::<Value>::dynamic(key)).await?)),
            "login" => session.login(Login::user(key).by("passkey"))?,
            "phone" => session.login(Login::user(key).device("phone"))?,
            "remember" => session.login(Login::user(key).remembered())?,
            "adopt" => session.login(Login::user(key).carry_all())?,
            "prove" => session.reauthenticate(key)?,
            "renew" => session.renew()?,
            "logout" => session.logout()?,
            // The text, byte for byte.
            "read" => told.push(json!(session.get::<Box<RawValue>>(key)?.map(|raw| raw.get().to_owned()))),
            "keys" => told.push(session.keys()?.iter().map(ToString::to_string).collect()),
            "user" => told.push(json!(session.user())),
            "method" => told.push(json!(session.authentication().and_then(|by| by.method))),
            "ended" => told.push(json!(session.ended().map(|ended| ended.reason.as_str()))),
            "version" => told.push(json!(session.version().map(|version| version.get()))),
            "now" => told.push(json!(session.created_at().map(|at| at.as_millis()))),
            _ => panic!("no such step: {verb}"),
        }
    }
    Ok(serde_json::to_string(&told).unwrap())
}
