//! The application on tower-sessions.

use axum::{Router, http::StatusCode, routing::get};
use tower_sessions::{Session, SessionManagerLayer, SessionStore, session::Error};

use crate::OLD_COOKIE;

async fn count(session: Session) -> Result<String, StatusCode> {
    let count = session.get::<u64>("count").await.map_err(internal)?.unwrap_or(0) + 1;
    session.insert("count", count).await.map_err(internal)?;
    Ok(count.to_string())
}

async fn sign_in(session: Session) -> Result<&'static str, StatusCode> {
    session.cycle_id().await.map_err(internal)?;
    session.insert("user", "alice").await.map_err(internal)?;
    Ok("welcome")
}

async fn account(session: Session) -> Result<String, StatusCode> {
    session.get("user").await.map_err(internal)?.ok_or(StatusCode::UNAUTHORIZED)
}

async fn sign_out(session: Session) -> Result<&'static str, StatusCode> {
    session.flush().await.map_err(internal)?;
    Ok("bye")
}

fn internal(_: Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

/// The application.
pub fn app(store: impl SessionStore + Clone) -> Router {
    // Not `Secure`: this example runs without HTTPS.
    let sessions = SessionManagerLayer::new(store).with_name(OLD_COOKIE).with_secure(false);
    Router::new()
        .route("/count", get(count))
        .route("/sign-in", get(sign_in))
        .route("/account", get(account))
        .route("/sign-out", get(sign_out))
        .layer(sessions)
}
