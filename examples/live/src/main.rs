//! `cargo run -p live_example`: axum on port 3000, actix-web on port 3001, on the Redis of `REDIS_URL`; without one, in
//! this process's memory. Open two tabs, listen in one and sign out in the other.

use std::{env, time::Duration};

use actix_web::{App, HttpServer};
use cloakroom::{
    actix::SessionMiddleware,
    cookie::CookieConfig,
    manager::SessionConfig,
    store::{MemoryStore, RedisStore, SessionStore},
};
use live_example::{Live, actix_routes, axum_routes};
use tokio::net::TcpListener;

type Ran = Result<(), Box<dyn std::error::Error>>;

#[actix_web::main]
async fn main() -> Ran {
    match env::var("REDIS_URL") {
        Ok(url) => serve(RedisStore::builder(url).events(true).build()?).await,
        Err(_) => serve(MemoryStore::new()).await,
    }
}

async fn serve<S: SessionStore + Clone>(store: S) -> Ran {
    // A cookie for plain HTTP on this machine. In production leave the default: it is `Secure`.
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    let live = |port| Live { origin: format!("http://localhost:{port}"), beat: Duration::from_secs(30) };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let axum = axum::serve(listener, axum_routes::app(store.clone(), config.clone(), live(3000)));
    let sessions = SessionMiddleware::with_config(store, config);
    let actix = HttpServer::new(move || App::new().service(actix_routes::app(sessions.clone(), live(3001))));
    tokio::try_join!(axum.into_future(), actix.bind("127.0.0.1:3001")?.run())?;
    Ok(())
}
