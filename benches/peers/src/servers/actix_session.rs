//! actix-session with its store for Redis: redis-rs, one connection.

use actix_session::{
    Session, SessionInsertError, SessionMiddleware,
    config::{PersistentSession, TtlExtensionPolicy},
    storage::RedisSessionStore,
};
use actix_web::{
    App, HttpServer,
    cookie::{Key, time::Duration},
    web,
};

use super::{FILLING, HOUR, filling, next, wire};

pub async fn serve(redis: &str, refresh: bool) {
    let store = RedisSessionStore::new(redis).await.unwrap();
    let key = Key::from(&[7; 64]);
    let listener = wire::listen();
    wire::announce(&listener);
    let server = HttpServer::new(move || {
        let mut lifecycle = PersistentSession::default().session_ttl(Duration::seconds(HOUR as i64));
        if refresh {
            lifecycle = lifecycle.session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
        }
        let sessions = SessionMiddleware::builder(store.clone(), key.clone()).cookie_secure(false);
        App::new()
            .route("/begin", web::post().to(begin))
            .route("/read", web::get().to(read))
            .route("/write", web::post().to(write))
            .route("/increment", web::post().to(increment))
            .route("/count", web::get().to(count))
            .wrap(sessions.session_lifecycle(lifecycle).build())
    });
    server.listen(listener).unwrap().run().await.unwrap();
}

async fn begin(session: Session) -> Result<String, SessionInsertError> {
    for name in FILLING {
        session.insert(name, filling())?;
    }
    session.insert("value", 0)?;
    session.insert("count", 0)?;
    Ok("0".to_owned())
}

async fn read(session: Session) -> String {
    number(&session, "value").to_string()
}

async fn write(session: Session) -> Result<String, SessionInsertError> {
    let value = next();
    session.insert("value", value)?;
    Ok(value.to_string())
}

async fn increment(session: Session) -> Result<String, SessionInsertError> {
    let count = number(&session, "count") + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

async fn count(session: Session) -> String {
    number(&session, "count").to_string()
}

fn number(session: &Session, name: &str) -> u64 {
    session.get(name).unwrap().unwrap_or_default()
}
