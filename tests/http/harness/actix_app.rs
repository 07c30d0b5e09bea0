//! The application on actix-web.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use actix_web::{
    App as ActixApp, HttpMessage as _, HttpRequest, HttpResponse,
    body::{self, MessageBody},
    dev::{Service as _, ServiceRequest, ServiceResponse},
    error::ErrorInternalServerError,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    test::{TestRequest, init_service},
    web,
};
use cloakroom::{
    actix::{
        Authenticated, FullyAuthenticated, MaybeAuthenticated, PendingAuthentication, RequireFresh,
        SessionEnded, SessionMiddleware,
    },
    audit::ClientIp,
    error::Error,
    manager::SessionConfig,
    session::Session,
};
use http::{Request, Response};

use super::{AnyStore, App, actix_thread, gate::Gate, script};

pub(super) fn app(store: AnyStore, config: SessionConfig) -> App {
    let thread = actix_thread::start(async move || {
        let sessions = SessionMiddleware::with_config(store, config);
        let app = ActixApp::new()
            .route("/outside", web::get().to(async |_: Session| "never reached"))
            .route("/outside-private", web::get().to(async |_: Authenticated| "never reached"))
            .route("/outside-maybe", web::get().to(async |_: MaybeAuthenticated| "never reached"))
            .service(
                web::scope("")
                    .wrap(sessions)
                    .route("/do", web::to(act))
                    .route("/poll", web::to(act))
                    .route("/static", web::to(leave_alone))
                    .service(web::resource("/caught").wrap(from_fn(catch_panics)).to(act))
                    .route("/extract", web::get().to(async |_: Session| "extracted and not used"))
                    .route("/private", web::get().to(async |who: Authenticated| who.user().to_owned()))
                    .route("/maybe", web::get().to(maybe))
                    .route("/fresh", web::get().to(fresh))
                    .route("/full", web::get().to(full))
                    .route("/pending", web::get().to(pending))
                    .route("/complete", web::get().to(complete))
                    .route("/ended", web::get().to(ended)),
            );
        let service = Rc::new(init_service(app).await);
        move |request: Request<Vec<u8>>| -> actix_thread::Local {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let gate = request.extensions().get::<Gate>().cloned();
                let ip = request.extensions().get::<ClientIp>().copied();
                let request = incoming(request).to_request();
                if let Some(ip) = ip {
                    request.extensions_mut().insert(ip);
                }
                if let Some(gate) = gate {
                    request.extensions_mut().insert(gate);
                }
                let response = match service.call(request).await {
                    Ok(response) => response.into_parts().1.map_into_boxed_body(),
                    Err(error) => error.error_response(),
                };
                outgoing(response).await
            })
        }
    });
    App::new(move |request| thread.call(request))
}

async fn act(request: HttpRequest, session: Session, steps: String) -> Result<HttpResponse, Error> {
    let gate = request.extensions().get::<Gate>().cloned();
    Ok(answer(script::run(&steps, Some(&session), gate).await?))
}

async fn leave_alone(request: HttpRequest, steps: String) -> Result<HttpResponse, Error> {
    let gate = request.extensions().get::<Gate>().cloned();
    Ok(answer(script::run(&steps, None, gate).await?))
}

async fn fresh(RequireFresh(who): RequireFresh<300>) -> String {
    who.user().to_owned()
}

async fn full(FullyAuthenticated(who): FullyAuthenticated) -> String {
    who.user().to_owned()
}

async fn pending(first: PendingAuthentication) -> String {
    assert_eq!(first.session().first_factor().unwrap().user, first.user());
    format!("{} by {}", first.user(), first.method().unwrap_or("nothing"))
}

async fn complete(first: PendingAuthentication) -> Result<&'static str, Error> {
    first.complete("both")?;
    Ok("")
}

async fn ended(SessionEnded(ended): SessionEnded) -> String {
    ended.map_or("nothing".to_owned(), |ended| {
        format!("{} on {}", ended.reason, ended.device.as_deref().unwrap_or("nothing"))
    })
}

async fn maybe(MaybeAuthenticated(who): MaybeAuthenticated) -> String {
    who.map_or("nobody".to_owned(), |who| who.user().to_owned())
}

/// What tower-http's `CatchPanicLayer` is to the other adapters, but that it fails without a response.
async fn catch_panics<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let mut call = pin!(next.call(request));
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(_) => Poll::Ready(Err(ErrorInternalServerError("caught"))),
    })
    .await
}

/// actix-web has the types of http 0.2.
fn incoming(request: Request<Vec<u8>>) -> TestRequest {
    let (head, body) = request.into_parts();
    let mut test = TestRequest::with_uri(&head.uri.to_string()).method(head.method.as_str().parse().unwrap());
    for (name, value) in &head.headers {
        let value = header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        test = test.append_header((name.as_str(), value));
    }
    test.set_payload(body)
}

async fn outgoing(response: HttpResponse) -> Response<Vec<u8>> {
    let (head, body) = response.into_parts();
    let body = body::to_bytes(body).await.unwrap().to_vec();
    let mut response = Response::new(body);
    *response.status_mut() = head.status().as_u16().try_into().unwrap();
    for (name, value) in head.headers() {
        let name: http::HeaderName = name.as_str().parse().unwrap();
        let mut line = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        line.set_sensitive(value.is_sensitive());
        response.headers_mut().append(name, line);
    }
    response
}

fn answer(output: script::Output) -> HttpResponse {
    let (head, body) = output.into_response().into_parts();
    let mut response = HttpResponse::build(StatusCode::from_u16(head.status.as_u16()).unwrap());
    for (name, value) in &head.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(body)
}
