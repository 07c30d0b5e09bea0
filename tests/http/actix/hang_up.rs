//! The client hangs up in the middle of a request.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use actix_web::{
    App,
    dev::Service as _,
    test::init_service,
    web::{self, ServiceConfig},
};
use cloakroom::{actix::SessionMiddleware, error::ErrorKind, session::Session, store::MemoryStore};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{get, server::Server};
use crate::harness::until;

/// Tells who it is, and never answers.
async fn wait(session: Session, tell: web::Data<UnboundedSender<Session>>) -> &'static str {
    session.insert("before", &1).unwrap();
    tell.send(session).unwrap();
    pending().await
}

/// A task of the handler goes on: what it writes is refused, not lost unnoticed.
#[actix_web::test]
async fn a_write_after_the_request_was_dropped_is_refused() {
    let (tell, mut told) = unbounded_channel::<Session>();
    let app = App::new()
        .app_data(web::Data::new(tell))
        .route("/", web::get().to(wait))
        .wrap(SessionMiddleware::new(MemoryStore::new()));
    let app = init_service(app).await;
    let mut call = Box::pin(app.call(get("/", None).to_request()));
    let session = tokio::select! {
        _ = &mut call => panic!("it never answers"),
        session = told.recv() => session.unwrap(),
    };
    session.insert("still", &1).unwrap();
    drop(call);
    assert_eq!(session.insert("after", &1).unwrap_err().kind(), ErrorKind::AfterCommit);
    // Nor does a handle of its own begin a session whose token nobody would ever get.
    let detached = session.detach();
    detached.insert("kept", &1).unwrap();
    assert_eq!(detached.save().await.unwrap_err().kind(), ErrorKind::AfterCommit);
}

/// The same over a socket, by actix-web's own server.
#[tokio::test]
async fn a_client_that_is_gone_ends_its_request() {
    let (tell, mut told) = unbounded_channel::<Session>();
    let tell = Arc::new(Mutex::new(tell));
    let routes = move |config: &mut ServiceConfig| {
        config.app_data(web::Data::new(tell.lock().unwrap().clone())).route("/", web::get().to(wait));
    };
    let server = Server::start(1, SessionMiddleware::new(MemoryStore::new()), routes);
    let connection = server.get("/", "").await;
    let session = told.recv().await.unwrap();
    session.insert("still", &1).unwrap();
    drop(connection);
    until("the session is closed", || session.insert("after", &1).is_err());
}
