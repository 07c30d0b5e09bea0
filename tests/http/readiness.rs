//! The contract of `tower::Service`, with polls driven by hand.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use cloakroom::{service::SessionLayer, session::Session, store::MemoryStore};
use http::{Request, Response, header};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_test::mock;

/// Like a pooled connection: readiness belongs to the one that was asked, and a clone has none.
#[derive(Default)]
struct Reserved {
    ready: bool,
}

impl Clone for Reserved {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Reserved {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready, "a clone was called that nobody had asked whether it is ready");
        self.ready = false;
        ready(Ok(Response::new(String::new())))
    }
}

/// Both ways to the inner service: at once without a cookie, and after a load with one.
#[tokio::test]
async fn the_service_that_said_ready_is_the_one_that_is_called() {
    let layer = SessionLayer::new(MemoryStore::new());
    let cookie = a_cookie(&layer).await;
    let mut service = layer.layer(Reserved::default());
    for cookie in [None, Some(&cookie), None, Some(&cookie)] {
        let mut request = Request::new(());
        if let Some(cookie) = cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        service.ready().await.unwrap().call(request).await.unwrap();
    }
}

#[tokio::test]
async fn back_pressure_of_the_inner_service_is_passed_on() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<String>, _>(SessionLayer::new(MemoryStore::new()));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let response = service.call(Request::new(()));
    let (request, reply) = handle.next_request().await.unwrap();
    assert!(request.extensions().get::<Session>().is_some());
    reply.send_response(Response::new("inner".to_owned()));
    assert_eq!(response.await.unwrap().into_body(), "inner");
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_passed_on() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<String>, _>(SessionLayer::new(MemoryStore::new()));
    assert!(service.poll_ready().is_ready());
    let response = service.call(Request::new(()));
    handle.next_request().await.unwrap().1.send_error("broken");
    assert_eq!(response.await.unwrap_err().to_string(), "broken");
}

/// The client hangs up, and a task of the handler goes on: what it writes is refused, not lost unnoticed.
#[tokio::test]
async fn a_write_after_the_client_hung_up_is_refused() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<String>, _>(SessionLayer::new(MemoryStore::new()));
    assert!(service.poll_ready().is_ready());
    let response = service.call(Request::new(()));
    let (request, _reply) = handle.next_request().await.unwrap();
    let session = request.extensions().get::<Session>().unwrap().clone();
    session.insert("before", &1).unwrap();
    drop(response);
    let error = session.insert("after", &1).unwrap_err();
    assert_eq!(error.kind(), cloakroom::error::ErrorKind::AfterCommit);
    // Nor does a handle of its own begin a session whose token nobody would ever get.
    let detached = session.detach();
    detached.insert("kept", &1).unwrap();
    let error = detached.save().await.unwrap_err();
    assert_eq!(error.kind(), cloakroom::error::ErrorKind::AfterCommit);
}

async fn a_cookie(layer: &SessionLayer) -> String {
    let write = layer.layer(service_fn(async |request: Request<()>| {
        request.extensions().get::<Session>().unwrap().insert("a", &1)?;
        Ok::<_, cloakroom::error::Error>(Response::new(String::new()))
    }));
    let response = write.oneshot(Request::new(())).await.unwrap();
    let line = response.headers()[header::SET_COOKIE].to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}
