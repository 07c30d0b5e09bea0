//! The layer on a plain Tower service, served by hyper without a framework: `cargo run --example
//! hyper_service`, then `curl -c jar -b jar http://localhost:3000` a few times.

use cloakroom::{
    cookie::CookieConfig,
    error::{Error, ErrorKind},
    manager::SessionConfig,
    service::{SessionLayer, TextBody},
    session::{Key, Session},
    store::MemoryStore,
};
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

const VISITS: Key<u64> = Key::new("visits");

fn visit(request: &Request<Incoming>) -> Result<String, Error> {
    // The layer put it there. Without the layer, the request is answered like any other failure.
    let Some(session) = request.extensions().get::<Session>() else { return Ok("no session\n".to_owned()) };
    session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
    Ok(format!("visit number {}\n", session.get(VISITS)?.unwrap_or(0)))
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, std::convert::Infallible> {
    Ok(visit(&request).map(Response::new).unwrap_or_else(|error| {
        let mut response = Response::new(format!("{error}\n"));
        *response.status_mut() = match error.kind() {
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        response
    }))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    // In production: `RedisStore::new("redis://127.0.0.1")?` and the default cookie.
    let sessions = SessionLayer::with_config(MemoryStore::new(), config).with_reply(TextBody);
    let service = ServiceBuilder::new().layer(sessions).service(service_fn(answer));

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // A visitor who hangs up is no reason to stop.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
