//! A handler, or a middleware further inside, answers `Err`.

use std::{fmt, sync::Arc};

use actix_web::{
    App, Error, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorForbidden, ErrorInternalServerError, InternalError},
    http::StatusCode,
    middleware::{Next, from_fn},
    test::{call_and_read_body, call_service, init_service, try_call_service},
    web,
};
use cloakroom::{
    actix::SessionMiddleware,
    manager::{Refusal, SessionConfig},
    session::{Saved, Session},
    store::{MemoryStore, Policy},
};

use super::{all, caching, cookie_in, cookie_of, get, private};

#[derive(Debug)]
struct Teapot;

impl fmt::Display for Teapot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("short and stout")
    }
}

impl ResponseError for Teapot {
    fn status_code(&self) -> StatusCode {
        StatusCode::IM_A_TEAPOT
    }
}

async fn forbidden(session: Session) -> Result<String, Error> {
    session.insert("a", &1)?;
    Err(ErrorForbidden("not here"))
}

async fn broken(session: Session) -> Result<String, Error> {
    session.insert("a", &2)?;
    Err(ErrorInternalServerError("broken"))
}

async fn broken_after_logout(session: Session) -> Result<String, Error> {
    session.insert("a", &2)?;
    session.logout()?;
    Err(ErrorInternalServerError("broken"))
}

async fn too_much(session: Session) -> Result<String, cloakroom::error::Error> {
    session.insert("a", &"x".repeat(70_000))?;
    Ok("never".to_owned())
}

async fn read(session: Session) -> Result<String, cloakroom::error::Error> {
    Ok(format!("{:?}", session.get::<u32>("a")?))
}

async fn write(session: Session) -> Result<&'static str, Error> {
    session.insert("a", &1)?;
    Ok("done")
}

/// Has read what somebody else changes meanwhile.
async fn outrun(session: Session) -> Result<&'static str, Error> {
    let seen = session.get::<u32>("a")?.unwrap_or(0);
    let other = session.detach();
    other.insert("a", &(seen + 10))?;
    assert!(matches!(other.save().await?, Saved::Saved(_)));
    session.insert("a", &(seen + 1))?;
    Ok("done")
}

/// Lets the handler do its work, and then fails by what the request's path says.
async fn fail<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await?;
    match response.request().path() {
        "/inner/teapot" | "/inner/outrun" => Err(Teapot.into()),
        "/inner/ready-made" => {
            let made =
                HttpResponse::Forbidden().append_header(("set-cookie", "theirs=1")).body("made before");
            Err(InternalError::from_response("no", made).into())
        }
        "/inner/broken" => Err(ErrorInternalServerError("broken")),
        _ => Ok(response),
    }
}

/// A macro, since actix-web doesn't re-export the type of such a service's requests.
macro_rules! app {
    ($sessions:expr) => {
        init_service(
            App::new()
                .route("/forbidden", web::get().to(forbidden))
                .route("/broken", web::get().to(broken))
                .route("/broken-after-logout", web::get().to(broken_after_logout))
                .route("/too-much", web::get().to(too_much))
                .route("/read", web::get().to(read))
                .service(
                    web::scope("/inner")
                        .wrap(from_fn(fail))
                        .route("/outrun", web::get().to(outrun))
                        .default_service(web::to(write)),
                )
                .wrap($sessions),
        )
        .await
    };
}

fn memory() -> SessionMiddleware {
    SessionMiddleware::new(MemoryStore::new())
}

#[actix_web::test]
async fn a_handlers_client_error_counts_as_its_answer() {
    let app = app!(memory());
    let response = call_service(&app, get("/forbidden", None).to_request()).await;
    assert_eq!(response.status(), 403);
    assert_eq!(caching(response.headers()), private());
    let cookie = cookie_of(&response);
    assert_eq!(call_and_read_body(&app, get("/read", Some(&cookie)).to_request()).await, "Some(1)");
}

#[actix_web::test]
async fn a_handlers_server_error_commits_nothing_but_a_logout() {
    let app = app!(memory());
    let response = call_service(&app, get("/broken", None).to_request()).await;
    assert_eq!((response.status().as_u16(), all(response.headers(), "set-cookie").len()), (500, 0));
    assert_eq!(caching(response.headers()), private());

    let cookie = cookie_of(&call_service(&app, get("/forbidden", None).to_request()).await);
    call_service(&app, get("/broken", Some(&cookie)).to_request()).await;
    assert_eq!(call_and_read_body(&app, get("/read", Some(&cookie)).to_request()).await, "Some(1)");

    let response = call_service(&app, get("/broken-after-logout", Some(&cookie)).to_request()).await;
    assert_eq!(response.status(), 500);
    assert!(cookie_of(&response).ends_with('='), "the cookie is taken away");
    assert_eq!(call_and_read_body(&app, get("/read", Some(&cookie)).to_request()).await, "None");
}

#[actix_web::test]
async fn an_error_of_a_session_call_says_what_kind_it_was() {
    let app = app!(memory());
    let response = call_service(&app, get("/too-much", None).to_request()).await;
    assert_eq!(response.status(), 413);
    assert_eq!(all(response.headers(), "content-type"), ["text/plain; charset=utf-8"]);
    assert_eq!(actix_web::test::read_body(response).await, "The session is full.\n");
}

/// There is no response yet, so the error takes the headers along; it is still the error that it was.
#[actix_web::test]
async fn an_error_of_a_middleware_is_dressed_when_it_becomes_a_response() {
    let app = app!(memory());
    let error = try_call_service(&app, get("/inner/teapot", None).to_request()).await.err().unwrap();
    assert!(error.as_error::<Teapot>().is_some());
    // Whoever asks twice gets the same.
    for response in [error.error_response(), error.error_response()] {
        assert_eq!(response.status(), 418);
        assert_eq!(caching(response.headers()), private());
        let cookie = cookie_in(response.headers());
        assert_eq!(call_and_read_body(&app, get("/read", Some(&cookie)).to_request()).await, "Some(1)");
    }
}

#[actix_web::test]
async fn a_response_that_an_error_has_ready_is_kept() {
    let app = app!(memory());
    let error = try_call_service(&app, get("/inner/ready-made", None).to_request()).await.err().unwrap();
    let response = error.error_response();
    assert_eq!(response.status(), 403);
    assert_eq!(all(response.headers(), "set-cookie").len(), 2);
    assert_eq!(all(response.headers(), "set-cookie")[0], "theirs=1");
    assert_eq!(caching(response.headers()), private());
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
    assert_eq!(body, "made before");
}

#[actix_web::test]
async fn a_server_error_of_a_middleware_commits_nothing() {
    let app = app!(memory());
    let error = try_call_service(&app, get("/inner/broken", None).to_request()).await.err().unwrap();
    let response = error.error_response();
    assert_eq!((response.status().as_u16(), all(response.headers(), "set-cookie").len()), (500, 0));
    assert_eq!(caching(response.headers()), private());
}

/// Neither the handler's success nor the middleware's error hides that nothing was stored.
#[actix_web::test]
async fn a_conflict_counts_more_than_an_error() {
    let sessions = SessionMiddleware::with_config(
        MemoryStore::new(),
        SessionConfig::default().with_policy(Policy::Strict),
    );
    let app = app!(sessions.with_reply(|refusal: &Refusal| {
        HttpResponse::build(StatusCode::from_u16(refusal.status()).unwrap()).body("ours")
    }));
    let cookie = cookie_of(&call_service(&app, get("/forbidden", None).to_request()).await);
    let error = try_call_service(&app, get("/inner/outrun", Some(&cookie)).to_request()).await.err().unwrap();
    let response = error.error_response();
    assert_eq!(response.status(), 409);
    assert_eq!(caching(response.headers()), private());
    let refusal = response.extensions().get::<Arc<Refusal>>().cloned().unwrap();
    assert!(matches!(&*refusal, Refusal::Conflict { keys } if keys == &["a"]));
    assert_eq!(call_and_read_body(&app, get("/read", Some(&cookie)).to_request()).await, "Some(11)");
}
