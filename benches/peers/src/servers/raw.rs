//! The least that a session by hand can do: one GET to read; GET and SET to write. No refresh of the
//! timeout, no check, no token of any strength. Everything else is measured against it.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    routing::{get, post},
};
use redis::{AsyncCommands as _, aio::MultiplexedConnection};
use serde::{Deserialize, Serialize};

use super::{FILLING, HOUR, filling, next, wire};

#[derive(Serialize, Deserialize)]
pub(super) struct Visitor {
    pub(super) value: u64,
    pub(super) count: u64,
    rest: BTreeMap<String, String>,
}

impl Visitor {
    pub(super) fn new() -> Self {
        let rest = FILLING.iter().map(|key| ((*key).to_owned(), filling())).collect();
        Self { value: 0, count: 0, rest }
    }
}

pub async fn serve(redis: &str) {
    let client = redis::Client::open(redis).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/read", get(read))
        .route("/write", post(write))
        .route("/increment", post(increment))
        .route("/count", get(count))
        .with_state(connection);
    wire::serve(app).await;
}

async fn begin(
    State(mut redis): State<MultiplexedConnection>,
) -> ([(&'static str, String); 1], &'static str) {
    let key = format!("raw-{}-{}", std::process::id(), next());
    save(&mut redis, &key, &Visitor::new()).await;
    ([("set-cookie", format!("id={key}"))], "0")
}

async fn read(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.value.to_string()
}

async fn write(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    let mut visitor = load(&mut redis, key(&headers)).await;
    visitor.value = next();
    save(&mut redis, key(&headers), &visitor).await;
    visitor.value.to_string()
}

async fn increment(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    let mut visitor = load(&mut redis, key(&headers)).await;
    visitor.count += 1;
    save(&mut redis, key(&headers), &visitor).await;
    visitor.count.to_string()
}

async fn count(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.count.to_string()
}

pub(super) fn key(headers: &HeaderMap) -> &str {
    headers.get(header::COOKIE).unwrap().to_str().unwrap().strip_prefix("id=").unwrap()
}

async fn load(redis: &mut MultiplexedConnection, key: &str) -> Visitor {
    let json: Vec<u8> = redis.get(key).await.unwrap();
    serde_json::from_slice(&json).unwrap()
}

async fn save(redis: &mut MultiplexedConnection, key: &str, visitor: &Visitor) {
    let () = redis.set_ex(key, serde_json::to_vec(visitor).unwrap(), HOUR).await.unwrap();
}
