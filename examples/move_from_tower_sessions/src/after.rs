//! The application on this crate. The old store is only read by [`move_in`], and can go when the last
//! old session would have expired.

use axum::{Router, middleware::from_fn_with_state, routing::get};
use cloakroom::{
    axum::Authenticated,
    cookie::CookieConfig,
    error::Error,
    manager::SessionConfig,
    service::SessionLayer,
    session::{Key, Login, Session},
    store::SessionStore,
};

use crate::move_in::move_in;

const COUNT: Key<u64> = Key::new("count");

async fn count(session: Session) -> Result<String, Error> {
    session.update(COUNT, |count| count.unwrap_or(0) + 1)?;
    Ok(session.get(COUNT)?.unwrap_or(0).to_string())
}

async fn sign_in(session: Session) -> Result<&'static str, Error> {
    session.login(Login::user("alice").carry(["count"]))?;
    Ok("welcome")
}

async fn account(who: Authenticated) -> String {
    who.user().to_owned()
}

async fn sign_out(session: Session) -> Result<&'static str, Error> {
    session.logout()?;
    Ok("bye")
}

/// The application.
pub fn app<O: tower_sessions::SessionStore + Clone>(store: impl SessionStore, old: O) -> Router {
    // This example runs without HTTPS. In production leave the default cookie: it is `Secure`.
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    Router::new()
        .route("/count", get(count))
        .route("/sign-in", get(sign_in))
        .route("/account", get(account))
        .route("/sign-out", get(sign_out))
        // Between the handlers and the layer, whose session it fills.
        .layer(from_fn_with_state(old, move_in::<O>))
        .layer(SessionLayer::with_config(store, config))
}
