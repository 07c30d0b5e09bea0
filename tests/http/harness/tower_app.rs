//! The application as a bare Tower service.

use cloakroom::{
    error::{Error, ErrorKind},
    manager::SessionConfig,
    service::SessionLayer,
    session::Session,
};
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{AnyStore, App, gate::Gate, script};

pub(super) fn app(store: AnyStore, config: SessionConfig) -> App {
    let service = SessionLayer::with_config(store, config).layer(service_fn(serve));
    App::new(move |request| {
        let service = service.clone();
        Box::pin(async move { service.oneshot(request).await.unwrap() })
    })
}

async fn serve(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, std::convert::Infallible> {
    let session = request.extensions().get::<Session>().expect("the layer put it there").clone();
    let gate = request.extensions().get::<Gate>().cloned();
    let steps = String::from_utf8(request.body().clone()).unwrap();
    let output = match request.uri().path() {
        "/do" | "/poll" => act(&steps, &session, gate).await,
        "/static" => script::run(&steps, None, gate).await,
        path => panic!("no such route: {path}"),
    };
    Ok(match output {
        Ok(output) => output.into_response(),
        Err(error) => refuse(&error),
    })
}

async fn act(steps: &str, session: &Session, gate: Option<Gate>) -> Result<script::Output, Error> {
    session.load().await?;
    script::run(steps, Some(session), gate).await
}

/// What an application without axum makes of an error.
fn refuse(error: &Error) -> Response<Vec<u8>> {
    let status = match error.kind() {
        ErrorKind::Unavailable => 503,
        ErrorKind::Limit => 413,
        ErrorKind::Superseded => 409,
        ErrorKind::NotAuthenticated => 401,
        _ => 500,
    };
    Response::builder().status(status).body(Vec::new()).unwrap()
}
