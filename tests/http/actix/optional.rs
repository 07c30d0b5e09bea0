//! `Option<Authenticated>` and what there is instead.

use std::time::Duration;

use actix_web::{
    App,
    test::{call_service, init_service, read_body},
    web,
};
use cloakroom::{
    actix::{Authenticated, MaybeAuthenticated, SessionMiddleware},
    manager::{Load, SessionConfig},
    session::Session,
    store::{MemoryStore, RedisStore},
};

use super::{cookie_of, get};
use crate::harness::NAME;

/// A token that a store has to be asked for.
async fn a_cookie() -> String {
    let app = App::new()
        .route("/", web::get().to(async |session: Session| session.login("alice").map(|()| "")))
        .wrap(SessionMiddleware::new(MemoryStore::new()));
    let app = init_service(app).await;
    cookie_of(&call_service(&app, get("/", None).to_request()).await)
}

#[actix_web::test]
async fn a_store_that_fails_is_not_nobody() {
    let cookie = a_cookie().await;
    assert!(cookie.starts_with(NAME));
    // Nothing listens there.
    let store = RedisStore::builder("redis://127.0.0.1:1").timeout(Duration::from_millis(200));
    let lazy = SessionConfig::default().with_load(Load::Lazy);
    let app = App::new()
        .route("/maybe", web::get().to(async |_: MaybeAuthenticated| "handled"))
        .route("/private", web::get().to(async |_: Authenticated| "handled"))
        .route("/session", web::get().to(async |_: Session| "handled"))
        .route("/option", web::get().to(async |who: Option<Authenticated>| format!("{}", who.is_none())))
        .wrap(SessionMiddleware::with_config(store.build().unwrap(), lazy));
    let app = init_service(app).await;
    for path in ["/maybe", "/private", "/session"] {
        let response = call_service(&app, get(path, Some(&cookie)).to_request()).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
        let text = "Sessions are out of reach at the moment. Please try again.\n";
        assert_eq!(read_body(response).await, text);
    }
    // Why there is `MaybeAuthenticated`: this one is actix-web's, and it says "nobody".
    let response = call_service(&app, get("/option", Some(&cookie)).to_request()).await;
    assert_eq!(read_body(response).await, "true");
}
