//! The application as an axum router.

use axum::{
    Extension, Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use cloakroom::{
    axum::{Authenticated, FullyAuthenticated, PendingAuthentication, RequireFresh, SessionEnded},
    error::Error,
    manager::SessionConfig,
    service::{SessionLayer, TextBody},
    session::Session,
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::{AnyStore, App, gate::Gate, script};

pub(super) fn app(store: AnyStore, config: SessionConfig) -> App {
    let sessions = SessionLayer::with_config(store, config).with_reply(TextBody);
    let router = Router::new()
        .route("/do", any(act))
        .route("/poll", any(act))
        .route("/static", any(leave_alone))
        .route("/caught", any(act).layer(CatchPanicLayer::new()))
        .route("/extract", get(async |_: Session| "extracted and not used"))
        .route("/private", get(async |who: Authenticated| who.user().to_owned()))
        .route("/maybe", get(maybe))
        .route("/fresh", get(async |RequireFresh(who): RequireFresh<300>| who.user().to_owned()))
        .route("/full", get(async |FullyAuthenticated(who): FullyAuthenticated| who.user().to_owned()))
        .route("/pending", get(pending))
        .route("/complete", get(async |first: PendingAuthentication| first.complete("both")))
        .route("/ended", get(ended))
        .layer(sessions)
        .route("/outside", get(async |_: Session| "never reached"))
        .route("/outside-private", get(async |_: Authenticated| "never reached"));
    App::new(move |request| {
        let router = router.clone();
        Box::pin(async move {
            let response = router.oneshot(request.map(Body::from)).await.unwrap();
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Response::from_parts(head, body.to_vec())
        })
    })
}

async fn act(
    session: Session,
    gate: Option<Extension<Gate>>,
    steps: String,
) -> Result<script::Output, Error> {
    script::run(&steps, Some(&session), gate.map(|gate| gate.0)).await
}

async fn leave_alone(gate: Option<Extension<Gate>>, steps: String) -> Result<script::Output, Error> {
    script::run(&steps, None, gate.map(|gate| gate.0)).await
}

async fn maybe(who: Option<Authenticated>) -> String {
    who.map_or("nobody".to_owned(), |who| who.user().to_owned())
}

async fn pending(first: PendingAuthentication) -> String {
    assert_eq!(first.session().first_factor().unwrap().user, first.user());
    format!("{} by {}", first.user(), first.method().unwrap_or("nothing"))
}

async fn ended(SessionEnded(ended): SessionEnded) -> String {
    ended.map_or("nothing".to_owned(), |ended| {
        format!("{} on {}", ended.reason, ended.device.as_deref().unwrap_or("nothing"))
    })
}

impl IntoResponse for script::Output {
    fn into_response(self) -> Response {
        Self::into_response(self).map(Body::from)
    }
}
