//! The cookie for local development can't go into production unnoticed (C1).

use cloakroom::{cookie::CookieConfig, manager::SessionConfig};
use http::{HeaderValue, header};

use crate::harness::{Answer, Instance, NOBODY, Setup, request};

everywhere!(on_this_machine_it_works, on_any_other_host_nothing_is_served);

fn config() -> SessionConfig {
    SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development())
}

async fn run_at(instance: &Instance, host: Option<&str>, cookie: &str, steps: &str) -> Answer {
    let mut request = request(NOBODY, steps);
    match host {
        Some(host) => request.headers_mut().insert(header::HOST, HeaderValue::from_str(host).unwrap()),
        None => request.headers_mut().remove(header::HOST),
    };
    request.headers_mut().insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
    instance.send(request).await
}

async fn on_this_machine_it_works(setup: Setup) {
    let world = setup.with(config()).await;
    for host in ["localhost", "localhost:3000", "app.localhost:80", "127.0.0.1:8080", "[::1]:8080"] {
        let answer = run_at(&world, Some(host), "", "login alice").await;
        let lines = answer.set_cookies();
        let (cookie, attributes) = lines[0].split_at("id=".len() + 43);
        assert_eq!(attributes, "; HttpOnly; SameSite=Lax; Path=/", "{host}");
        assert_eq!(run_at(&world, Some(host), cookie, "user").await.one(), "alice", "{host}");
        let lines = run_at(&world, Some(host), cookie, "logout").await.set_cookies();
        assert!(lines[0].starts_with("id=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; "), "{lines:?}");
    }
}

async fn on_any_other_host_nothing_is_served(setup: Setup) {
    let world = setup.with(config()).await;
    let lines = run_at(&world, Some("localhost"), "", "login alice").await.set_cookies();
    let cookie = lines[0].split(';').next().unwrap();
    for host in [
        None,
        Some("example.com"),
        Some("localhost.example.com"),
        Some("127.0.0.1.nip.io"),
        Some("10.0.0.1:80"),
    ] {
        for cookie in ["", cookie] {
            let answer = run_at(&world, host, cookie, "panic").await;
            assert_eq!(answer.status, 400, "{host:?}");
            assert_eq!(answer.set_cookies(), [""; 0]);
        }
    }
    // The target of the request counts more than what the header says.
    let mut forged = request(NOBODY, "panic");
    *forged.uri_mut() = "http://example.com/do".parse().unwrap();
    forged.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    assert_eq!(world.send(forged).await.status, 400);
}
