//! `http` types as bytes and strings.

use http::{HeaderName, Request, header, header::Entry};

use crate::{
    audit::ClientIp,
    manager::{Manager, RequestHead},
};

/// Not among those that the `http` crate knows.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A header that nobody looks at is not looked for.
pub(super) fn of<'a, B>(
    request: &'a Request<B>,
    manager: &Manager,
) -> RequestHead<'a, impl Iterator<Item = &'a [u8]> + use<'a, B>> {
    let headers = request.headers();
    let first = |name| headers.get(name).map(http::HeaderValue::as_bytes);
    let authority = || request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = || authority().or_else(|| first(header::HOST));
    RequestHead {
        method: request.method().as_str(),
        path: request.uri().path(),
        host: manager.looks_at_host().then(host).flatten(),
        cookies: headers.get_all(header::COOKIE).into_iter().map(http::HeaderValue::as_bytes),
        user_agent: first(header::USER_AGENT),
        traceparent: manager
            .looks_at_trace()
            .then(|| headers.get(&TRACEPARENT))
            .flatten()
            .map(http::HeaderValue::as_bytes),
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
