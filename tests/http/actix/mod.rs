//! What only actix-web has: errors without a response, scopes, workers, bodies of its own, sockets.

mod bodies;
mod errors;
mod hang_up;
mod optional;
mod request;
mod scopes;
mod server;
mod socket;
mod workers;

use actix_web::{dev::ServiceResponse, http::header::HeaderMap, test::TestRequest};

use crate::harness::NAME;

/// A request with a session cookie, if there is any.
fn get(path: &str, cookie: Option<&str>) -> TestRequest {
    let request = TestRequest::get().uri(path);
    match cookie {
        Some(cookie) => request.append_header(("cookie", cookie)),
        None => request,
    }
}

/// All lines of a header.
fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).map(|line| line.to_str().unwrap()).collect()
}

/// The cookie that a response sets, as a request sends it.
#[track_caller]
fn cookie_of<B>(response: &ServiceResponse<B>) -> String {
    cookie_in(response.headers())
}

#[track_caller]
fn cookie_in(headers: &HeaderMap) -> String {
    let lines = all(headers, "set-cookie");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(&format!("{NAME}=")), "{lines:?}");
    lines[0].split(';').next().unwrap().to_owned()
}

/// What is said to caches.
fn caching(headers: &HeaderMap) -> (Vec<&str>, Vec<&str>) {
    (all(headers, "cache-control"), all(headers, "vary"))
}

/// What is said of a response that depends on a session.
fn private() -> (Vec<&'static str>, Vec<&'static str>) {
    (vec!["private, no-store"], vec!["Cookie"])
}
