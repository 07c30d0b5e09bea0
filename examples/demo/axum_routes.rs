//! The shop as an axum router.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{
    Extension, Form, Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response, Sse, sse},
    routing::{get, post},
};
use cloakroom::{
    audit::ClientIp,
    error::Error,
    manager::{Refusal, SessionConfig},
    service::{SessionLayer, TextBody},
    session::Session,
    store::SessionStore,
};
use futures_util::StreamExt as _;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};

use crate::{
    Shop, account,
    costs::Counting,
    counter::{Done, HEADERS, Trace},
    devices::{self, Handle},
    feed, health,
    origin::{self, Sender},
    page::{self, Page},
    shop::{self, Answer, Choice, Name},
};

type Answered = Result<Answer, Error>;

pub(crate) fn router<S: SessionStore + Clone>(store: S, config: SessionConfig, shop: Shop) -> Router {
    let sessions = SessionLayer::with_config(
        Counting::new(store.clone(), shop.ledger.clone(), shop.timings.clone()),
        config,
    );
    let sign_in = get(async |session: Session| -> Answered { shop::sign_in_form(&session) }).post(
        async |session: Session, Form(form): Form<Name>| -> Answered { shop::sign_in(&session, &form) },
    );
    Router::new()
        .route("/", get(async |session: Session| -> Answered { shop::shelf(&session) }))
        .route("/cart", get(async |session: Session| -> Answered { shop::cart(&session) }))
        .route("/cart/add", post(add))
        .route("/cart/remove", post(remove))
        .route("/sign-in", sign_in)
        .route("/sign-out", post(async |session: Session| -> Answered { shop::sign_out(&session) }))
        .route("/session.json", get(json))
        .route("/account", get(account))
        .route("/account/events", get(events))
        .route("/account/revoke", post(revoke))
        .route("/account/sign-out-others", post(sign_out_others))
        .route("/account/sign-out-everywhere", post(sign_out_everywhere))
        .layer(sessions.with_reply(TextBody))
        .layer(middleware::from_fn_with_state(shop.clone(), around))
        // Below, nothing has to do with a session, and so nothing keeps one alive.
        .route("/trail", get(trail))
        .route("/healthz", get(async move |State(shop): State<Shop>| healthz(&store, &shop).await))
        .route(
            "/icon.svg",
            get(async || ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("icon.svg"))),
        )
        .route("/style.css", get(async || ([(header::CONTENT_TYPE, "text/css")], include_str!("style.css"))))
        .route(
            "/feed.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("feed.js"))),
        )
        .route(
            "/script.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("script.js"))),
        )
        .layer(CatchPanicLayer::new())
        .layer(middleware::map_response(secure))
        .layer(TraceLayer::new_for_http())
        .with_state(shop)
}

async fn add(session: Session, Form(choice): Form<Choice>) -> Answered {
    shop::add(&session, &choice)
}

async fn remove(session: Session, Form(choice): Form<Choice>) -> Answered {
    shop::remove(&session, &choice)
}

async fn account(session: Session, State(shop): State<Shop>) -> Answered {
    account::show(&session, &shop).await
}

async fn revoke(session: Session, Form(form): Form<Handle>) -> Answered {
    devices::revoke(&session, &form).await
}

async fn sign_out_others(session: Session) -> Answered {
    devices::sign_out_others(&session).await
}

async fn sign_out_everywhere(session: Session) -> Answered {
    devices::sign_out_everywhere(&session).await
}

async fn events(session: Session, State(shop): State<Shop>, headers: HeaderMap) -> Result<Response, Error> {
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(frames) = feed::open(&session, last_seen, shop.stop).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = frames.map(|frame| {
        let event = sse::Event::default().event(frame.event).data(frame.data);
        Ok::<_, Infallible>(match frame.id {
            Some(id) => event.id(id),
            None => event,
        })
    });
    Ok(([(header::CACHE_CONTROL, "private, no-store")], Sse::new(events)).into_response())
}

async fn trail(State(shop): State<Shop>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Html(page::trail(&shop.trail.latest().await)))
}

async fn json(session: Session, State(shop): State<Shop>) -> Result<Response, Error> {
    shop::json(&session, &shop).map(|json| Json(json).into_response())
}

async fn healthz(store: &impl SessionStore, shop: &Shop) -> Response {
    let (ready, json) = health(store, shop).await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json)).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => Extension(page).into_response(),
            Self::See(path, session) => (Extension(session), Redirect::to(path)).into_response(),
            Self::Refuse(status, text) => {
                (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), text).into_response()
            }
        }
    }
}

async fn around(
    State(shop): State<Shop>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if !request.method().is_safe() && !is_ours(request.headers()) {
        return (StatusCode::FORBIDDEN, origin::REFUSED).into_response();
    }
    let trace = Trace::begin();
    if let Ok(value) = HeaderValue::try_from(trace.parent) {
        request.headers_mut().insert("traceparent", value);
    }
    // Nothing is between us and the client. Behind a proxy, this is where to ask it.
    request.extensions_mut().insert(ClientIp(client.ip()));
    let is_get = request.method() == Method::GET;
    let accept = request.headers().get(header::ACCEPT).cloned();

    let (mut response, cost) = shop.ledger.measure(trace.id, next.run(request)).await;

    let page = response.extensions_mut().remove::<Page>();
    let completed = shop.complete(Done {
        is_get,
        accept: accept.as_ref().map(HeaderValue::as_bytes),
        page,
        changed: response.extensions().get::<Session>(),
        refusal: response.extensions().get::<Arc<Refusal>>().map(|refusal| &**refusal),
        cost,
    });
    if let Some(html) = completed.html {
        response = with_body(response, Html(html));
    }
    if let Some(Ok(value)) = completed.timing.map(HeaderValue::try_from) {
        response.headers_mut().insert("server-timing", value);
    }
    response
}

fn is_ours(headers: &HeaderMap) -> bool {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes);
    let (fetch_site, origin) = (header(HeaderName::from_static("sec-fetch-site")), header(header::ORIGIN));
    Sender { fetch_site, origin, host: header(header::HOST) }.is_ours()
}

/// For every route.
async fn secure(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
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
