//! The same with this crate alone: no user type, no backend trait, and what the bridge can't promise.

use axum::{
    Form, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cloakroom::{
    axum::Authenticated,
    cookie::CookieConfig,
    error::Error,
    manager::SessionConfig,
    service::SessionLayer,
    session::{Login, Session},
    store::SessionStore,
};

use crate::{Credentials, knows};

async fn sign_in(session: Session, Form(form): Form<Credentials>) -> Result<Response, Error> {
    if !knows(&form.name, &form.password) {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    session.login(Login::user(&form.name).by("password"))?;
    Ok(format!("welcome, {}", form.name).into_response())
}

async fn account(who: Authenticated) -> String {
    format!("signed in as {}", who.user())
}

async fn sign_out(session: Session) -> Result<&'static str, Error> {
    session.logout()?;
    Ok("bye")
}

/// The application.
pub fn app(store: impl SessionStore) -> Router {
    // This example runs without HTTPS. In production leave the default cookie: it is `Secure`.
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    Router::new()
        .route("/account", get(account))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(SessionLayer::with_config(store, config))
}
