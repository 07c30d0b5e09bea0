//! The token in a header, for clients that are no browsers (C6).

use cloakroom::{
    error::Error,
    header::{HeaderConfig, Transport},
    manager::SessionConfig,
    service::SessionLayer,
    session::Session,
    store::MemoryStore,
};
use http::{HeaderName, Request, Response, header::VARY};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::harness::{Answer, Instance, NAME, NOBODY, Setup, request};

everywhere!(
    no_header_is_looked_at_by_default,
    a_session_lives_by_the_header_alone,
    a_browser_and_an_app_use_one_application,
    two_tokens_in_one_request_are_refused,
    more_than_one_header_line_is_no_session,
    an_unknown_token_in_a_header_is_never_adopted,
    the_end_of_a_session_is_told_in_the_header,
    caches_are_told_of_the_header,
);
on_redis!(what_can_not_be_a_token_costs_nothing);

const BEARER: &str = "authorization";
const NEW: &str = "session-token";

fn bearer(transport: fn(HeaderConfig) -> Transport) -> SessionConfig {
    SessionConfig::default().with_transport(transport(HeaderConfig::bearer()))
}

async fn run(instance: &Instance, lines: &[(&str, &str)], steps: &str) -> Answer {
    instance.send(with(lines, steps)).await
}

fn with(lines: &[(&str, &str)], steps: &str) -> Request<Vec<u8>> {
    let mut request = request(NOBODY, steps);
    for (name, value) in lines {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

/// The token that the response hands out in its header, which must be all that it hands out.
#[track_caller]
fn told(answer: &Answer, name: &'static str) -> String {
    assert_eq!(answer.set_cookies(), [""; 0], "{answer:?}");
    let lines = answer.all(HeaderName::from_static(name));
    assert_eq!(lines.len(), 1, "{answer:?}");
    assert!(answer.headers[name].is_sensitive(), "{answer:?}");
    lines[0].clone()
}

/// Neither a cookie nor a token.
#[track_caller]
fn untold(answer: &Answer) {
    assert_eq!(
        (answer.set_cookies(), answer.all(HeaderName::from_static(NEW))),
        (vec![], vec![]),
        "{answer:?}"
    );
}

async fn no_header_is_looked_at_by_default(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let line = format!("Bearer {token}");
    assert_eq!(run(&world, &[(BEARER, &line)], "read a").await.one(), Value::Null);
    let answer = run(&world, &[(BEARER, &line)], "write a 2").await;
    assert!(answer.issued().is_some() && !answer.headers.contains_key(NEW));
}

async fn a_session_lives_by_the_header_alone(setup: Setup) {
    for config in [HeaderConfig::bearer(), HeaderConfig::named("x-session").unwrap()] {
        let (name, new, bearer) = (config.name(), config.response_name(), config == HeaderConfig::bearer());
        let spelled = |token: &str| if bearer { format!("Bearer {token}") } else { token.to_owned() };
        let transport = Transport::Header(config);
        let world = setup.with(SessionConfig::default().with_transport(transport)).await;
        let first = told(&run(&world, &[], "write a 1").await, new);
        let line = spelled(&first);
        let answer = run(&world, &[(name, &line)], "read a; write a 2").await;
        assert_eq!(answer.one(), 1);
        untold(&answer);
        // Renewed, signed in: a new token each time, and the old one leads nowhere new.
        let second = told(&run(&world, &[(name, &line)], "renew").await, new);
        let third = told(&run(&world, &[(name, &spelled(&second))], "login alice *").await, new);
        assert_eq!(
            run(&world, &[(name, &spelled(&third))], "read a; user").await.told(),
            [json!(2), json!("alice")]
        );
        assert_eq!(run(&world, &[(name, &spelled(&second))], "user").await.one(), Value::Null);
        // A cookie means nothing here, alone or beside the header.
        let cookie = format!("{NAME}={third}");
        assert_eq!(run(&world, &[("cookie", &cookie)], "user").await.one(), Value::Null);
        let both = [("cookie", &*cookie), (name, &line)];
        assert_eq!(run(&world, &both, "user").await.one(), Value::Null);
    }
}

async fn a_browser_and_an_app_use_one_application(setup: Setup) {
    let world = setup.with(bearer(Transport::CookieOrHeader)).await;
    // With neither it is a browser; an app asks by the header with nothing in it.
    let browser = run(&world, &[], "login alice").await;
    assert!(!browser.headers.contains_key(NEW));
    let cookie = format!("{NAME}={}", browser.token());
    let app = format!("Bearer {}", told(&run(&world, &[(BEARER, "Bearer")], "login bob").await, NEW));
    for steps in ["user", "write a 1; user", "read a; user"] {
        let answers =
            [run(&world, &[("cookie", &cookie)], steps).await, run(&world, &[(BEARER, &app)], steps).await];
        answers.iter().for_each(untold);
        let users = answers.map(|answer| answer.told().pop().unwrap());
        assert_eq!(users, ["alice", "bob"], "{steps}");
    }
    // Neither gets what is the other's.
    let renewed = run(&world, &[("cookie", &cookie)], "renew").await;
    assert!(renewed.issued().is_some() && !renewed.headers.contains_key(NEW));
    told(&run(&world, &[(BEARER, &app)], "renew").await, NEW);
    // Another scheme is somebody else's business.
    let basic = run(&world, &[(BEARER, "Basic YTpi")], "write a 1").await;
    assert!(basic.issued().is_some() && !basic.headers.contains_key(NEW));
}

async fn two_tokens_in_one_request_are_refused(setup: Setup) {
    let world = setup.with(bearer(Transport::CookieOrHeader)).await;
    let token = run(&world, &[], "write a 1").await.token();
    let (cookie, header) = (format!("{NAME}={token}"), format!("Bearer {token}"));
    let twice = format!("{cookie}; {cookie}");
    let cookies = [Some(&*cookie), Some(&*twice), Some("__Host-Http-id=x"), Some("other=1"), None];
    let headers = [Some(&*header), Some("Bearer"), Some("Bearer x"), Some("Basic x"), None];
    for cookie in cookies {
        for header in headers {
            let lines: Vec<_> = cookie
                .map(|line| ("cookie", line))
                .into_iter()
                .chain(header.map(|line| (BEARER, line)))
                .collect();
            let answer = run(&world, &lines, "write a 2").await;
            let ours = cookie.is_some_and(|line| line.starts_with(NAME));
            let two = ours && header.is_some_and(|line| line.starts_with("Bearer"));
            assert_eq!(answer.status, if two { 400 } else { 200 }, "{lines:?}");
            if two {
                untold(&answer);
            }
            // What is handed out goes the way that the request came.
            assert!(!two || !answer.headers.contains_key(VARY), "{lines:?}");
            let by_header = header.is_some_and(|line| line.starts_with("Bearer"));
            assert!(answer.set_cookies().is_empty() || !by_header, "{lines:?}");
            assert!(!answer.headers.contains_key(NEW) || by_header, "{lines:?}");
        }
    }
}

async fn more_than_one_header_line_is_no_session(setup: Setup) {
    let world = setup.with(bearer(Transport::Header)).await;
    let line = format!("Bearer {}", told(&run(&world, &[], "write a 1").await, NEW));
    for other in [&*line, "Bearer", "Basic x"] {
        for lines in [[(BEARER, &*line), (BEARER, other)], [(BEARER, other), (BEARER, &*line)]] {
            assert_eq!(run(&world, &lines, "read a").await.one(), Value::Null, "{lines:?}");
        }
    }
    assert_eq!(run(&world, &[(BEARER, &line)], "read a").await.one(), 1);
}

async fn an_unknown_token_in_a_header_is_never_adopted(setup: Setup) {
    let world = setup.with(bearer(Transport::CookieOrHeader)).await;
    let before = world.sessions();
    // Shard 0, class 0; well-formed and never issued.
    let planted = "A".repeat(43);
    let line = format!("Bearer {planted}");
    assert_eq!(run(&world, &[(BEARER, &line)], "read a; new").await.told(), [Value::Null, json!(true)]);
    let issued = told(&run(&world, &[(BEARER, &line)], "write a 1; login alice").await, NEW);
    assert_ne!(issued, planted);
    assert!(!world.holds(&planted).await);
    assert_eq!(world.sessions(), before + 1);
    assert_eq!(run(&world, &[(BEARER, &line)], "user").await.one(), Value::Null);
    // Nor one that ended.
    let line = format!("Bearer {issued}");
    assert_eq!(told(&run(&world, &[(BEARER, &line)], "logout").await, NEW), "");
    assert_ne!(told(&run(&world, &[(BEARER, &line)], "write a 1").await, NEW), issued);
}

async fn the_end_of_a_session_is_told_in_the_header(setup: Setup) {
    let world = setup.with(bearer(Transport::CookieOrHeader)).await;
    for steps in ["logout", "destroy", "logout; status 500"] {
        let token = told(&run(&world, &[(BEARER, "Bearer")], "login alice").await, NEW);
        let line = format!("Bearer {token}");
        assert_eq!(told(&run(&world, &[(BEARER, &line)], steps).await, NEW), "", "{steps}");
        assert_eq!(run(&world, &[(BEARER, &line)], "user").await.one(), Value::Null);
    }
    // Also to a request that learns of it at its commit.
    let token = told(&run(&world, &[(BEARER, "Bearer")], "login alice").await, NEW);
    let line = format!("Bearer {token}");
    let held = world.hold_request(with(&[(BEARER, &line)], "read a; hold; write a 1")).await;
    assert_eq!(told(&run(&world, &[(BEARER, &line)], "logout").await, NEW), "");
    let late = held.release().await;
    assert_eq!((late.status, told(&late, NEW)), (409, String::new()));
}

async fn caches_are_told_of_the_header(setup: Setup) {
    const SAID: &str = "Accept, AUTHORIZATION";
    for (config, vary, besides) in [
        (bearer(Transport::Header), "authorization", &[SAID][..]),
        (bearer(Transport::CookieOrHeader), "Cookie, authorization", &[SAID, "Cookie"]),
    ] {
        let world = setup.with(config).await;
        for lines in [&[][..], &[(BEARER, "Bearer")]] {
            assert_eq!(run(&world, lines, "read a").await.all(VARY), [vary], "{lines:?}");
            let answer = run(&world, lines, "write a 1; header cache-control public").await;
            assert_eq!(answer.headers["cache-control"], "private, no-store");
            assert_eq!(answer.all(VARY), [vary]);
            let said = format!("read a; header vary {SAID}");
            assert_eq!(run(&world, lines, &said).await.all(VARY), besides);
        }
        assert!(!world.run_static(NOBODY, "status 200").await.headers.contains_key(VARY));
    }
}

async fn what_can_not_be_a_token_costs_nothing(setup: Setup) {
    let world = setup.with(bearer(Transport::CookieOrHeader)).await;
    let token = run(&world, &[], "write a 1").await.token();
    let (cookie, long) = (format!("{NAME}={token}"), format!("Bearer {}", "A".repeat(5000)));
    let (line, last) = (format!("Bearer {token}"), format!("Bearer {}B", &token[..42]));
    world.redis().reset_stats().unwrap();
    for lines in [
        &[(BEARER, "Bearer")][..],
        &[(BEARER, "Bearer garbage")],
        &[(BEARER, &*long)],
        &[(BEARER, &*last)],
        &[(BEARER, &*line), (BEARER, &*line)],
        &[(BEARER, &*line), ("cookie", &*cookie)],
    ] {
        run(&world, lines, "read a").await;
    }
    assert_eq!(world.commands(), [].into());
}

/// A handler, and any layer below ours, that logs the request's headers.
#[tokio::test]
async fn a_logged_header_shows_no_token() {
    let config =
        SessionConfig::default().with_transport(Transport::Header(HeaderConfig::named("x-session").unwrap()));
    let service = SessionLayer::with_config(MemoryStore::new(), config).layer(service_fn(
        async |request: Request<String>| {
            let session = request.extensions().get::<Session>().unwrap();
            session.insert("a", &1)?;
            Ok::<_, Error>(Response::new(format!("{:?}", request.headers())))
        },
    ));
    let token = "A".repeat(43);
    let request = Request::get("/").header("x-session", &token).header("x-session", "second");
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    let response_headers = format!("{:?}", response.headers());
    let seen = response.into_body();
    assert!(seen.contains("x-session") && seen.contains("Sensitive"), "{seen}");
    assert!(!seen.contains(&token) && !seen.contains("second"), "{seen}");
    assert!(response_headers.contains("\"x-session\": Sensitive"), "{response_headers}");
}
