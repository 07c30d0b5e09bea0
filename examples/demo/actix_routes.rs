//! The shop as an actix-web application.

use std::{convert::Infallible, net::TcpListener, sync::Arc};

use actix_web::{
    App, Error, FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse, HttpServer, Responder,
    body::{BoxBody, MessageBody},
    dev::{Server, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::{DefaultHeaders, Logger, Next, from_fn},
    web::{self, Data, Form, Html, Json, Redirect},
};
use cloakroom::{
    actix::{SessionMiddleware, TextBody},
    audit::ClientIp,
    manager::{Refusal, SessionConfig},
    session::Session,
    store::SessionStore,
};

use futures_util::StreamExt as _;

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

type Answered = Result<Answer, cloakroom::error::Error>;

/// Serves until it is stopped: by its handle, since `main` listens to signals.
pub(crate) fn server<S: SessionStore + Clone>(
    listener: TcpListener,
    store: S,
    config: SessionConfig,
    shop: Shop,
) -> std::io::Result<Server> {
    let counting = Counting::new(store.clone(), shop.ledger.clone(), shop.timings.clone());
    let sessions = SessionMiddleware::with_config(counting, config).with_reply(TextBody);
    let server =
        HttpServer::new(move || {
            let (shop, store) = (shop.clone(), store.clone());
            let headers = HEADERS.iter().fold(DefaultHeaders::new(), |headers, header| headers.add(*header));
            let healthz = move |shop: Data<Shop>| {
                let store = store.clone();
                async move { healthz(&store, &shop).await }
            };
            let form = web::FormConfig::default()
                .error_handler(|error, _| InternalError::new(error, StatusCode::UNPROCESSABLE_ENTITY).into());
            // The last that is wrapped is the first that sees a request. Resources of their own: a route of
            // another method is 405 then, and not 404.
            App::new()
                .app_data(Data::new(shop))
                .app_data(form)
                .wrap(headers)
                .wrap(Logger::default())
                .service(web::resource("/trail").get(trail))
                .service(web::resource("/healthz").get(healthz))
                .service(web::resource("/icon.svg").get(async || {
                    HttpResponse::Ok().content_type("image/svg+xml").body(include_str!("icon.svg"))
                }))
                .service(web::resource("/style.css").get(async || {
                    HttpResponse::Ok().content_type("text/css").body(include_str!("style.css"))
                }))
                .service(web::resource("/feed.js").get(async || {
                    HttpResponse::Ok().content_type("text/javascript").body(include_str!("feed.js"))
                }))
                .service(web::resource("/script.js").get(async || {
                    HttpResponse::Ok().content_type("text/javascript").body(include_str!("script.js"))
                }))
                .service(
                    web::scope("")
                        .service(web::resource("/").get(async |session: Session| shop::shelf(&session)))
                        .service(web::resource("/cart").get(async |session: Session| shop::cart(&session)))
                        .service(web::resource("/cart/add").post(add))
                        .service(web::resource("/cart/remove").post(remove))
                        .service(web::resource("/sign-in").get(sign_in_form).post(sign_in))
                        .service(web::resource("/sign-out").post(sign_out))
                        .service(web::resource("/session.json").get(json))
                        .service(web::resource("/account").get(account))
                        .service(web::resource("/account/events").get(events))
                        .service(web::resource("/account/revoke").post(revoke))
                        .service(web::resource("/account/sign-out-others").post(sign_out_others))
                        .service(web::resource("/account/sign-out-everywhere").post(sign_out_everywhere))
                        .wrap(sessions.clone())
                        .wrap(from_fn(around)),
                )
        });
    Ok(server.workers(2).disable_signals().shutdown_timeout(5).listen(listener)?.run())
}

async fn add(session: Session, choice: Form<Choice>) -> Answered {
    shop::add(&session, &choice)
}

async fn remove(session: Session, choice: Form<Choice>) -> Answered {
    shop::remove(&session, &choice)
}

async fn sign_in_form(session: Session) -> Answered {
    shop::sign_in_form(&session)
}

async fn sign_in(session: Session, form: Form<Name>) -> Answered {
    shop::sign_in(&session, &form)
}

async fn sign_out(session: Session) -> Answered {
    shop::sign_out(&session)
}

async fn json(session: Session, shop: Data<Shop>) -> Result<impl Responder, cloakroom::error::Error> {
    shop::json(&session, &shop).map(Json)
}

async fn account(session: Session, shop: Data<Shop>) -> Answered {
    account::show(&session, &shop).await
}

async fn revoke(session: Session, form: Form<Handle>) -> Answered {
    devices::revoke(&session, &form).await
}

async fn sign_out_others(session: Session) -> Answered {
    devices::sign_out_others(&session).await
}

async fn sign_out_everywhere(session: Session) -> Answered {
    devices::sign_out_everywhere(&session).await
}

async fn events(
    session: Session,
    shop: Data<Shop>,
    request: HttpRequest,
) -> Result<HttpResponse, cloakroom::error::Error> {
    let last_seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(frames) = feed::open(&session, last_seen, shop.stop.clone()).await? else {
        return Ok(HttpResponse::NoContent().finish());
    };
    let bytes = frames.map(|frame| Ok::<_, Infallible>(web::Bytes::from(frame.to_text())));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .streaming(bytes))
}

async fn trail(shop: Data<Shop>) -> impl Responder {
    Html::new(page::trail(&shop.trail.latest().await))
        .customize()
        .insert_header((header::CACHE_CONTROL, "no-store"))
}

async fn healthz(store: &impl SessionStore, shop: &Shop) -> HttpResponse {
    let (ready, json) = health(store, shop).await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(json)
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self {
            Self::Page(page) => {
                let mut response = HttpResponse::Ok().finish();
                response.extensions_mut().insert(page);
                response
            }
            Self::See(path, session) => {
                let mut response = Redirect::to(path).see_other().respond_to(request).map_into_boxed_body();
                response.extensions_mut().insert(session);
                response
            }
            Self::Refuse(status, text) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
            }
        }
    }
}

async fn around(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let shop = Data::<Shop>::extract(request.request()).await?;
    if !request.method().is_safe() && !is_ours(request.headers()) {
        let refused =
            HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(origin::REFUSED);
        return Ok(request.into_response(refused));
    }
    let trace = Trace::begin();
    if let Ok(value) = HeaderValue::try_from(trace.parent) {
        request.headers_mut().insert(HeaderName::from_static("traceparent"), value);
    }
    // Nothing is between us and the client. Behind a proxy, this is where to ask it.
    if let Some(client) = request.peer_addr() {
        request.extensions_mut().insert(ClientIp(client.ip()));
    }
    let is_get = request.method() == actix_web::http::Method::GET;
    let accept = request.headers().get(header::ACCEPT).cloned();

    let (response, cost) = shop.ledger.measure(trace.id, next.call(request)).await;

    let mut response = response?.map_into_boxed_body();
    let completed = {
        let mut extensions = response.response_mut().extensions_mut();
        let page = extensions.remove::<Page>();
        shop.complete(Done {
            is_get,
            accept: accept.as_ref().map(HeaderValue::as_bytes),
            page,
            changed: extensions.get::<Session>(),
            refusal: extensions.get::<Arc<Refusal>>().map(|refusal| &**refusal),
            cost,
        })
    };
    if let Some(html) = completed.html {
        let value = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, value);
        response = response.map_body(|_, _| BoxBody::new(html));
    }
    if let Some(Ok(value)) = completed.timing.map(HeaderValue::try_from) {
        response.headers_mut().insert(HeaderName::from_static("server-timing"), value);
    }
    Ok(response)
}

fn is_ours(headers: &header::HeaderMap) -> bool {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes);
    let (fetch_site, origin) = (header(HeaderName::from_static("sec-fetch-site")), header(header::ORIGIN));
    Sender { fetch_site, origin, host: header(header::HOST) }.is_ours()
}
