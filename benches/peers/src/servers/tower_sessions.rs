//! tower-sessions with its store for Redis, with the pool of six that its example has.

use axum::{
    Router,
    routing::{get, post},
};
use tower_sessions::{Expiry, Session, SessionManagerLayer, session::Error};
use tower_sessions_redis_store::{RedisStore, fred::prelude::*};

use super::{FILLING, HOUR, filling, next, wire};

pub async fn serve(redis: &str) {
    let pool = Pool::new(Config::from_url(redis).unwrap(), None, None, None, 6).unwrap();
    let connected = pool.connect();
    pool.wait_for_connect().await.unwrap();
    let expiry = Expiry::OnInactivity(time::Duration::seconds(HOUR as i64));
    let layer = SessionManagerLayer::new(RedisStore::new(pool)).with_secure(false).with_expiry(expiry);
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/read", get(read))
        .route("/write", post(write))
        .route("/increment", post(increment))
        .route("/count", get(count))
        .layer(layer);
    wire::serve(app).await;
    drop(connected);
}

async fn begin(session: Session) -> String {
    for name in FILLING {
        session.insert(name, filling()).await.unwrap();
    }
    session.insert("value", 0).await.unwrap();
    session.insert("count", 0).await.unwrap();
    "0".to_owned()
}

async fn read(session: Session) -> String {
    number(&session, "value").await.unwrap().to_string()
}

async fn write(session: Session) -> String {
    let value = next();
    session.insert("value", value).await.unwrap();
    value.to_string()
}

async fn increment(session: Session) -> String {
    let count = number(&session, "count").await.unwrap() + 1;
    session.insert("count", count).await.unwrap();
    count.to_string()
}

async fn count(session: Session) -> String {
    number(&session, "count").await.unwrap().to_string()
}

async fn number(session: &Session, name: &str) -> Result<u64, Error> {
    Ok(session.get(name).await?.unwrap_or_default())
}
