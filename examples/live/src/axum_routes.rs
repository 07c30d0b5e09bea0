//! The application by axum.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Form, Router,
    body::Body,
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use cloakroom::{
    axum::Authenticated, error::Error, manager::SessionConfig, service::SessionLayer, session::Session,
    store::SessionStore,
};
use futures_util::stream;

use crate::{
    Live, Name, SESSION_OVER, Since,
    feed::{Feed, Line},
    note, origin,
};

/// All of it, on any store that tells events.
pub fn app<S: SessionStore>(store: S, config: SessionConfig, live: Live) -> Router {
    Router::new()
        .route("/events", get(events))
        .route("/socket", get(socket))
        .route("/note", post(async |session: Session| note(&session)))
        .route("/sign-in", post(async |session: Session, Form(form): Form<Name>| session.login(form.name)))
        .route("/sign-out", post(async |session: Session| session.logout()))
        .layer(SessionLayer::with_config(store, config))
        .route("/", get(async || Html(include_str!("page.html"))))
        .with_state(Arc::new(live))
}

async fn events(
    State(live): State<Arc<Live>>,
    headers: HeaderMap,
    who: Authenticated,
) -> Result<Response, Error> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let feed = Feed::open(who.session(), last, &live).await?;
    let lines = stream::unfold(feed, async |mut feed| {
        let line = feed.next().await?;
        if let Line::Beat = line {
            feed.keep_alive().await;
        }
        Some((Ok::<_, Infallible>(line.to_sse()), feed))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(lines)).into_response())
}

async fn socket(
    State(live): State<Arc<Live>>,
    Query(query): Query<Since>,
    headers: HeaderMap,
    who: Authenticated,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().map(|origin| origin.as_bytes()).collect();
    if !origin::is_ours(&live.origin, &origins) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let feed = Feed::open(who.session(), query.since.as_deref(), &live).await?;
    Ok(upgrade.on_upgrade(async move |socket| drop(talk(socket, feed).await)))
}

/// Until the session is over, the other side has left or does not answer.
async fn talk(mut socket: WebSocket, mut feed: Feed) -> Result<(), axum::Error> {
    let mut heard = true;
    loop {
        tokio::select! {
            line = feed.next() => match line {
                Some(Line::Ended(ended)) => {
                    let reason = ended.reason.as_str().into();
                    return socket.send(Message::Close(Some(CloseFrame { code: SESSION_OVER, reason }))).await;
                }
                // Nothing came since the last beat, not even a pong: nobody is there, whose session would go on
                // for as long as the network takes to notice.
                Some(Line::Beat) if !std::mem::take(&mut heard) => return Ok(()),
                Some(Line::Beat) => {
                    feed.keep_alive().await;
                    socket.send(Message::Ping(Default::default())).await?;
                }
                Some(line) => {
                    if let Some(text) = line.to_message() {
                        socket.send(Message::text(text)).await?;
                    }
                }
                None => return Ok(()),
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    heard = true;
                    socket.send(Message::Text(text)).await?;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => heard = true,
            },
        }
    }
}
