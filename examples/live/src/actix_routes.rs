//! The application by actix-web.

use std::convert::Infallible;

use actix_web::{HttpRequest, HttpResponse, dev::HttpServiceFactory, http::header, rt, web};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream};
use cloakroom::{
    actix::{Authenticated, SessionMiddleware},
    error::Error,
    session::Session,
};
use futures_util::stream;

use crate::{
    Live, Name, SESSION_OVER, Since,
    feed::{Feed, Line},
    note, origin,
};

/// All of it, on any store that tells events.
pub fn app(sessions: SessionMiddleware, live: Live) -> impl HttpServiceFactory + 'static {
    web::scope("")
        .app_data(web::Data::new(live))
        .route("/", web::get().to(async || web::Html::new(include_str!("page.html"))))
        .route("/events", web::get().to(events))
        .route("/socket", web::get().to(socket))
        .route("/note", web::post().to(async |session: Session| done(note(&session))))
        .route("/sign-in", web::post().to(sign_in))
        .route("/sign-out", web::post().to(async |session: Session| done(session.logout())))
        .wrap(sessions)
}

fn done(result: Result<(), Error>) -> Result<HttpResponse, Error> {
    result.map(|()| HttpResponse::Ok().finish())
}

async fn sign_in(session: Session, form: web::Form<Name>) -> Result<HttpResponse, Error> {
    done(session.login(form.into_inner().name))
}

async fn events(
    live: web::Data<Live>,
    request: HttpRequest,
    who: Authenticated,
) -> Result<HttpResponse, Error> {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let feed = Feed::open(who.session(), last, &live).await?;
    let lines = stream::unfold(feed, async |mut feed| {
        let line = feed.next().await?;
        if let Line::Beat = line {
            feed.keep_alive().await;
        }
        Some((Ok::<_, Infallible>(web::Bytes::from(line.to_sse())), feed))
    });
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(lines))
}

async fn socket(
    live: web::Data<Live>,
    query: web::Query<Since>,
    request: HttpRequest,
    who: Authenticated,
    payload: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let origins: Vec<_> = request.headers().get_all(header::ORIGIN).map(|origin| origin.as_bytes()).collect();
    if !origin::is_ours(&live.origin, &origins) {
        return Ok(HttpResponse::Forbidden().finish());
    }
    let feed = Feed::open(who.session(), query.since.as_deref(), &live).await?;
    let (response, socket, messages) = actix_ws::handle(&request, payload)?;
    rt::spawn(async move { drop(talk(socket, messages, feed).await) });
    Ok(response)
}

/// Until the session is over, the other side has left or does not answer.
async fn talk(
    mut socket: actix_ws::Session,
    mut messages: MessageStream,
    mut feed: Feed,
) -> Result<(), Closed> {
    let mut heard = true;
    loop {
        tokio::select! {
            line = feed.next() => match line {
                Some(Line::Ended(ended)) => {
                    let description = Some(ended.reason.as_str().to_owned());
                    return socket.close(Some(CloseReason { code: CloseCode::Other(SESSION_OVER), description })).await;
                }
                // Nothing came since the last beat, not even a pong: nobody is there, whose session would go on
                // for as long as the network takes to notice.
                Some(Line::Beat) if !std::mem::take(&mut heard) => return socket.close(None).await,
                Some(Line::Beat) => {
                    feed.keep_alive().await;
                    socket.ping(b"").await?;
                }
                Some(line) => {
                    if let Some(text) = line.to_message() {
                        socket.text(text).await?;
                    }
                }
                None => return socket.close(None).await,
            },
            message = messages.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    heard = true;
                    socket.text(text).await?;
                }
                Some(Ok(Message::Ping(text))) => {
                    heard = true;
                    socket.pong(&text).await?;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return socket.close(None).await,
                Some(Ok(_)) => heard = true,
            },
        }
    }
}
