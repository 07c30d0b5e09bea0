//! `http` types as bytes and strings.

use http::{HeaderName, Request, header, header::Entry};

use crate::{audit::ClientIp, manager::RequestHead};

/// Not among those that the `http` crate knows.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(super) fn of<B>(request: &Request<B>) -> RequestHead<'_, impl Iterator<Item = &[u8]>> {
    let headers = request.headers();
    let first = |name| headers.get(name).map(http::HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    RequestHead {
        method: request.method().as_str(),
        path: request.uri().path(),
        host: authority.or_else(|| first(header::HOST)),
        cookies: headers.get_all(header::COOKIE).into_iter().map(http::HeaderValue::as_bytes),
        user_agent: first(header::USER_AGENT),
        traceparent: headers.get(&TRACEPARENT).map(http::HeaderValue::as_bytes),
        client_ip: request.extensions().get().map(|ClientIp(ip)| *ip),
    }
}

/// The values of all lines of a header.
pub(super) fn lines<'a, B>(request: &'a Request<B>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    request.headers().get_all(name).into_iter().map(http::HeaderValue::as_bytes)
}

/// Keeps a header's values out of everything that prints headers with `Debug`.
pub(super) fn mark_secret<B>(request: &mut Request<B>, name: &'static str) {
    if let Entry::Occupied(mut lines) = request.headers_mut().entry(HeaderName::from_static(name)) {
        lines.iter_mut().for_each(|line| line.set_sensitive(true));
    }
}
