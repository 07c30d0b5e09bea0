//! cloakroom on actix-web: the handlers that axum has, and another way to serve them.

use actix_web::{App, HttpServer, web};
use cloakroom::{
    actix::SessionMiddleware,
    store::{RedisStore, SessionStore as _},
};

use super::{
    ours_axum::{begin, count, increment, read, write},
    wire,
};

pub async fn serve(redis: &str) {
    let store = RedisStore::new(redis).unwrap();
    store.ready().await.unwrap();
    let sessions = SessionMiddleware::new(store);
    let listener = wire::listen();
    wire::announce(&listener);
    let server = HttpServer::new(move || {
        App::new()
            .route("/begin", web::post().to(begin))
            .route("/read", web::get().to(read))
            .route("/write", web::post().to(write))
            .route("/increment", web::post().to(increment))
            .route("/count", web::get().to(count))
            .wrap(sessions.clone())
    });
    server.listen(listener).unwrap().run().await.unwrap();
}
