//! What the trail is told of a request.

use std::net::IpAddr;

use actix_web::{
    App, HttpMessage as _,
    test::{call_service, init_service},
    web,
};
use cloakroom::{
    actix::SessionMiddleware,
    audit::ClientIp,
    session::Session,
    store::{RedisStore, SessionStore as _},
};
use servers::Redis;

use super::get;

#[actix_web::test]
async fn the_trail_has_the_address_that_the_application_determined() {
    let redis = Redis::start().unwrap();
    let store = RedisStore::builder(redis.url()).audit(true).build().unwrap();
    store.ready().await.unwrap();
    let app = App::new()
        .route("/cart", web::get().to(async |session: Session| session.insert("a", &1).map(|()| "")))
        .wrap(SessionMiddleware::new(store));
    let app = init_service(app).await;
    let request = get("/cart?secret=1", None)
        .append_header(("user-agent", "a browser"))
        .append_header(("x-forwarded-for", "203.0.113.9"))
        .append_header(("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        .to_request();
    let ip: IpAddr = "192.0.2.7".parse().unwrap();
    request.extensions_mut().insert(ClientIp(ip));
    assert_eq!(call_service(&app, request).await.status(), 200);
    let streams = redis.command(&["KEYS", "*:audit"]).unwrap();
    let entries: String =
        streams.lines().map(|key| redis.command(&["XRANGE", key, "-", "+"]).unwrap()).collect();
    for told in ["192.0.2.7", "GET", "/cart", "a browser", "4bf92f3577b34da6a3ce929d0e0e4736"] {
        assert!(entries.contains(told), "{told} in {entries}");
    }
    for hidden in ["203.0.113.9", "secret"] {
        assert!(!entries.contains(hidden), "{hidden} in {entries}");
    }
}
