//! actix-web's types as bytes and strings.

use actix_web::{
    HttpMessage as _,
    dev::ServiceRequest,
    http::header::{self, HeaderName, HeaderValue},
};

use crate::{
    audit::ClientIp,
    manager::{Manager, RequestHead},
};

/// Not among those that the `http` crate knows.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A header that nobody looks at is not looked for.
pub(super) fn of<'a>(
    request: &'a ServiceRequest,
    manager: &Manager,
) -> RequestHead<'a, impl Iterator<Item = &'a [u8]> + use<'a>> {
    let headers = request.headers();
    let first = |name| headers.get(name).map(HeaderValue::as_bytes);
    let authority = || request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = || authority().or_else(|| first(header::HOST));
    RequestHead {
        method: request.method().as_str(),
        path: request.path(),
        host: manager.looks_at_host().then(host).flatten(),
        cookies: headers.get_all(header::COOKIE).map(HeaderValue::as_bytes),
        user_agent: first(header::USER_AGENT),
        traceparent: manager
            .looks_at_trace()
            .then(|| headers.get(&TRACEPARENT))
            .flatten()
            .map(HeaderValue::as_bytes),
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
