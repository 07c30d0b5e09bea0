//! Bodies that are sent while they are made.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use actix_web::{
    App, HttpResponse,
    body::{self, BodySize, MessageBody},
    test::{call_service, init_service},
    web::{self, Bytes},
};
use cloakroom::{
    actix::SessionMiddleware,
    error::ErrorKind,
    session::{Saved, Session},
    store::MemoryStore,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{caching, cookie_of, get, private};

/// Sends what it is given, when it is given.
struct Chunks(UnboundedReceiver<Bytes>);

impl MessageBody for Chunks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(Ok))
    }
}

type Kept = Arc<Mutex<Option<(Session, UnboundedSender<Bytes>)>>>;

/// The head leaves with the cookie while the body is still made; what is written by then is refused,
/// unless it is saved.
#[actix_web::test]
async fn a_stream_starts_with_the_cookie_and_ends_without_the_session() {
    let kept = Kept::default();
    let handler = {
        let kept = Arc::clone(&kept);
        move |session: Session| {
            let kept = Arc::clone(&kept);
            async move {
                session.insert("a", &1).unwrap();
                let (sender, chunks) = unbounded_channel();
                *kept.lock().unwrap() = Some((session, sender));
                HttpResponse::Ok().body(Chunks(chunks))
            }
        }
    };
    let app = App::new()
        .route("/", web::get().to(handler))
        .route(
            "/read",
            web::get().to(async |session: Session| format!("{:?}", session.keys().unwrap().len())),
        )
        .wrap(SessionMiddleware::new(MemoryStore::new()));
    let app = init_service(app).await;

    let response = call_service(&app, get("/", None).to_request()).await;
    let cookie = cookie_of(&response);
    assert_eq!(caching(response.headers()), private());
    assert_eq!(response.response().body().size(), BodySize::Stream);

    let mut body = pin!(response.into_body());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(body.as_mut().poll_next(&mut cx).is_pending());
    let (session, sender) = kept.lock().unwrap().take().unwrap();
    assert_eq!(session.insert("b", &1).unwrap_err().kind(), ErrorKind::AfterCommit);
    let detached = session.detach();
    detached.insert("b", &1).unwrap();
    assert!(matches!(detached.save().await.unwrap(), Saved::Saved(Some(_))));
    sender.send(Bytes::from_static(b"late")).unwrap();
    assert!(matches!(body.as_mut().poll_next(&mut cx), Poll::Ready(Some(Ok(chunk))) if chunk == "late"));
    drop(sender);
    assert!(matches!(body.as_mut().poll_next(&mut cx), Poll::Ready(None)));

    let response = call_service(&app, get("/read", Some(&cookie)).to_request()).await;
    assert_eq!(body::to_bytes(response.into_body()).await.unwrap(), "2");
}
