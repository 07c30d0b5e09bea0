//! Where the middleware is wrapped.

use std::sync::Arc;

use actix_web::{
    App, HttpResponse,
    test::{call_and_read_body, call_service, init_service},
    web,
};
use cloakroom::{
    actix::SessionMiddleware,
    cookie::CookieConfig,
    manager::{Refusal, SessionConfig},
    session::Session,
    store::MemoryStore,
};

use super::{all, caching, cookie_of, get, private};

async fn count(session: Session) -> Result<String, cloakroom::error::Error> {
    session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(format!("{}", session.get::<u64>("n")?.unwrap_or(0)))
}

#[actix_web::test]
async fn around_the_app_it_is_one_session_for_all_scopes() {
    let inner = web::scope("/b").service(web::scope("/c").route("/{id}", web::get().to(count)));
    let app = App::new()
        .service(web::scope("/a").route("", web::get().to(count)).service(inner))
        .wrap(SessionMiddleware::new(MemoryStore::new()));
    let app = init_service(app).await;
    let cookie = cookie_of(&call_service(&app, get("/a", None).to_request()).await);
    assert_eq!(call_and_read_body(&app, get("/a/b/c/7", Some(&cookie)).to_request()).await, "2");
    let response = call_service(&app, get("/nowhere", Some(&cookie)).to_request()).await;
    assert_eq!(response.status(), 404);
    assert_eq!(caching(response.headers()), (vec![], vec![]), "a page that asked no session is public");
}

#[actix_web::test]
async fn around_a_scope_it_leaves_the_others_alone() {
    let sessions = SessionMiddleware::new(MemoryStore::new());
    let app = App::new()
        .service(web::scope("/shop").wrap(sessions.clone()).route("", web::get().to(count)))
        .service(web::scope("/desk").wrap(sessions).route("", web::get().to(count)))
        .route("/", web::get().to(count));
    let app = init_service(app).await;
    let cookie = cookie_of(&call_service(&app, get("/shop", None).to_request()).await);
    assert_eq!(call_and_read_body(&app, get("/desk", Some(&cookie)).to_request()).await, "2", "one store");
    let response = call_service(&app, get("/", Some(&cookie)).to_request()).await;
    assert_eq!((response.status().as_u16(), all(response.headers(), "set-cookie").len()), (500, 0));
}

#[actix_web::test]
async fn two_around_one_another_are_two_sessions() {
    let named = |name| {
        let cookie = CookieConfig::builder().name(name).build().unwrap();
        SessionMiddleware::with_config(MemoryStore::new(), SessionConfig::default().with_cookie(cookie))
    };
    let app = App::new()
        .route("/outer", web::get().to(count))
        .service(web::scope("/inner").wrap(named("__Host-inner")).route("", web::get().to(count)))
        .wrap(named("__Host-outer"));
    let app = init_service(app).await;
    let mut cookies = Vec::new();
    for (path, name) in [("/outer", "__Host-outer="), ("/inner", "__Host-inner=")] {
        let response = call_service(&app, get(path, None).to_request()).await;
        let lines = all(response.headers(), "set-cookie");
        assert!(lines.len() == 1 && lines[0].starts_with(name), "{lines:?}");
        cookies.push(lines[0].split(';').next().unwrap().to_owned());
    }
    let both = cookies.join("; ");
    for (path, body) in [("/outer", "2"), ("/inner", "2"), ("/inner", "3"), ("/outer", "3")] {
        let response = call_service(&app, get(path, Some(&both)).to_request()).await;
        assert_eq!(caching(response.headers()), private(), "said once");
        assert_eq!(actix_web::test::read_body(response).await, body, "{path}");
    }
}

#[actix_web::test]
async fn the_middlewares_own_answers_are_a_policy() {
    let local = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    let sessions = SessionMiddleware::with_config(MemoryStore::new(), local)
        .with_reply(|refusal: &Refusal| HttpResponse::ImATeapot().body(refusal.to_string()));
    let app = init_service(App::new().route("/", web::get().to(count)).wrap(sessions)).await;
    let elsewhere = get("/", None).append_header(("host", "example.com")).to_request();
    let response = call_service(&app, elsewhere).await;
    assert_eq!(response.status(), 418);
    let refusal = response.response().extensions().get::<Arc<Refusal>>().cloned().unwrap();
    assert!(matches!(*refusal, Refusal::InsecureHost));
    let here = get("/", None).append_header(("host", "localhost")).to_request();
    assert_eq!(call_and_read_body(&app, here).await, "1");
}
