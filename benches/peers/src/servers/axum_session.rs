//! axum_session with its pool for Redis, in its default settings.

use axum::{
    Router,
    routing::{get, post},
};
use axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
use axum_session_redispool::SessionRedisPool;
use redis_pool::RedisPool;

use super::{FILLING, filling, next, wire};

type Visitor = Session<SessionRedisPool>;

pub async fn serve(redis: &str) {
    let pool = RedisPool::from(redis::Client::open(redis).unwrap());
    let config = SessionConfig::default().with_table_name("sessions").with_secure(false);
    let store = SessionStore::<SessionRedisPool>::new(Some(pool.into()), config).await.unwrap();
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/read", get(read))
        .route("/write", post(write))
        .route("/increment", post(increment))
        .route("/count", get(count))
        .layer(SessionLayer::new(store));
    wire::serve(app).await;
}

async fn begin(session: Visitor) -> String {
    for name in FILLING {
        session.set(name, filling());
    }
    session.set("value", 0);
    session.set("count", 0);
    "0".to_owned()
}

async fn read(session: Visitor) -> String {
    number(&session, "value").to_string()
}

async fn write(session: Visitor) -> String {
    let value = next();
    session.set("value", value);
    value.to_string()
}

async fn increment(session: Visitor) -> String {
    let count = number(&session, "count") + 1;
    session.set("count", count);
    count.to_string()
}

async fn count(session: Visitor) -> String {
    number(&session, "count").to_string()
}

fn number(session: &Visitor, name: &str) -> u64 {
    session.get(name).unwrap_or_default()
}
