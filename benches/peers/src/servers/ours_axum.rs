//! cloakroom on axum, as README shows it.

use axum::{
    Router,
    routing::{get, post},
};
use cloakroom::{
    error::Error,
    service::SessionLayer,
    session::{Key, Session},
    store::{RedisStore, SessionStore as _},
};

use super::{FILLING, filling, next, wire};

pub const VALUE: Key<u64> = Key::new("value");
pub const COUNT: Key<u64> = Key::new("count");

pub async fn serve(redis: &str, audit: bool) {
    let store = RedisStore::builder(redis).audit(audit).build().unwrap();
    store.ready().await.unwrap();
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/read", get(read))
        .route("/write", post(write))
        .route("/increment", post(increment))
        .route("/count", get(count))
        .layer(SessionLayer::new(store));
    wire::serve(app).await;
}

pub async fn begin(session: Session) -> Result<String, Error> {
    for name in FILLING {
        session.insert(Key::new(name), &filling())?;
    }
    session.insert(VALUE, &0)?;
    session.insert(COUNT, &0)?;
    Ok("0".to_owned())
}

pub async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get(VALUE)?.unwrap_or_default().to_string())
}

pub async fn write(session: Session) -> Result<String, Error> {
    let value = next();
    session.insert(VALUE, &value)?;
    Ok(value.to_string())
}

pub async fn increment(session: Session) -> Result<String, Error> {
    session.increment(COUNT, 1)?;
    count(session).await
}

pub async fn count(session: Session) -> Result<String, Error> {
    Ok(session.get(COUNT)?.unwrap_or_default().to_string())
}
