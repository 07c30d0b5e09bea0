//! actix-web's types as bytes and strings.

use actix_web::{
    HttpMessage as _,
    dev::ServiceRequest,
    http::header::{self, HeaderName, HeaderValue},
};

use crate::{audit::ClientIp, manager::RequestHead};

/// Not among those that the `http` crate knows.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(super) fn of(request: &ServiceRequest) -> RequestHead<'_, impl Iterator<Item = &[u8]>> {
    let headers = request.headers();
    let first = |name| headers.get(name).map(HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    RequestHead {
        method: request.method().as_str(),
        path: request.path(),
        host: authority.or_else(|| first(header::HOST)),
        cookies: headers.get_all(header::COOKIE).map(HeaderValue::as_bytes),
        user_agent: first(header::USER_AGENT),
        traceparent: headers.get(&TRACEPARENT).map(HeaderValue::as_bytes),
        client_ip: request.extensions().get().map(|ClientIp(ip)| *ip),
    }
}

/// The values of all lines of a header.
pub(super) fn lines<'a>(request: &'a ServiceRequest, name: &str) -> impl Iterator<Item = &'a [u8]> {
    request.headers().get_all(name).map(HeaderValue::as_bytes)
}

/// Keeps a header's values out of everything that prints headers with `Debug`.
pub(super) fn mark_secret(request: &mut ServiceRequest, name: &'static str) {
    let headers = request.headers_mut();
    let lines: Vec<_> = headers.remove(name).collect();
    for mut line in lines {
        line.set_sensitive(true);
        headers.append(HeaderName::from_static(name), line);
    }
}
