//! Around the session layer: measures each request, and completes the page once its session is committed.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use cloakroom::{
    audit::ClientIp,
    id::{EventId, SessionRef},
    manager::Refusal,
    session::Session,
};

use crate::{Shop, costs::Cost, page, page::Page};

/// What the last change of some sessions has cost: the newest of them, since it is for one line of a page.
#[derive(Clone, Default)]
pub(crate) struct LastChanges(Arc<Mutex<VecDeque<(SessionRef, Cost)>>>);

impl LastChanges {
    const KEPT: usize = 256;

    fn note(&self, session: SessionRef, cost: Cost) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(other, _)| *other != session);
        list.push_back((session, cost));
        if list.len() > Self::KEPT {
            list.pop_front();
        }
    }

    fn of(&self, session: SessionRef) -> Option<Cost> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|(other, _)| *other == session).map(|(_, cost)| *cost)
    }
}

pub(crate) async fn around(
    State(shop): State<Shop>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    // A trace begins here. The trail tells its id, and so a row can be found from a log line, and back.
    let trace = EventId::new().as_uuid().simple().to_string();
    if let Some(span) = trace.get(16..)
        && let Ok(value) = HeaderValue::try_from(format!("00-{trace}-{span}-01"))
    {
        request.headers_mut().insert("traceparent", value);
    }
    // Nothing is between us and the client. Behind a proxy, this is where to ask it.
    request.extensions_mut().insert(ClientIp(client.ip()));
    let reload = request.method() == Method::GET;
    let browser = wants_html(request.headers());

    let (mut response, cost) = shop.ledger.measure(trace, next.run(request)).await;

    if let Some(session) = response.extensions().get::<Session>().and_then(Session::reference) {
        shop.last_changes.note(session, cost);
    }
    if let Some(page) = response.extensions_mut().remove::<Page>() {
        let before = page.session().reference().and_then(|session| shop.last_changes.of(session));
        let html = page.render(shop.store.name(), shop.store.is_remote(), cost, before);
        response = with_body(response, Html(html));
    } else if browser && let Some(refusal) = response.extensions().get::<Arc<Refusal>>() {
        let html = page::refusal(&refusal.to_string(), reload);
        response = with_body(response, html);
    }
    if shop.store.is_remote()
        && let Ok(value) = HeaderValue::try_from(format!("redis;desc=\"{cost}\""))
    {
        // Shown by a browser's network tab, and by `curl -i`.
        response.headers_mut().insert("server-timing", value);
    }
    response
}

/// For every route.
pub(crate) async fn secure(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Status and headers of the one, the body of the other.
fn with_body(response: Response, html: Html<String>) -> Response {
    let (mut parts, _) = response.into_parts();
    let (new, body) = html.into_response().into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(new.headers);
    Response::from_parts(parts, body)
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
