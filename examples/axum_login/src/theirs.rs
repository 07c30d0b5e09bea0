//! axum-login as its documentation has it. The one line that differs is the store.

use std::convert::Infallible;

use axum::{
    Form, Router,
    http::StatusCode,
    routing::{get, post},
};
use axum_login::{
    AuthManagerLayerBuilder, AuthUser, AuthnBackend, login_required, tower_sessions::SessionManagerLayer,
};
use cloakroom::{bridge::Bridge, store::SessionStore};

use crate::{Credentials, knows};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"the hash of the password: when it changes, every session of the user ends"
    }
}

/// Who may sign in.
#[derive(Clone, Debug)]
pub struct Users;

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, form: Credentials) -> Result<Option<User>, Infallible> {
        Ok(knows(&form.name, &form.password).then_some(User { name: form.name }))
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Infallible> {
        Ok(Some(User { name: name.clone() }))
    }
}

type AuthSession = axum_login::AuthSession<Users>;

async fn sign_in(mut auth: AuthSession, Form(form): Form<Credentials>) -> Result<String, StatusCode> {
    let user = auth.authenticate(form).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    auth.login(&user).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("welcome, {}", user.name))
}

async fn account(auth: AuthSession) -> String {
    format!("signed in as {}", auth.user.map(|user| user.name).unwrap_or_default())
}

async fn sign_out(mut auth: AuthSession) -> Result<&'static str, StatusCode> {
    auth.logout().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok("bye")
}

/// The application.
pub fn app(store: impl SessionStore + Clone) -> Router {
    // Not `Secure`: this example runs without HTTPS.
    let sessions = SessionManagerLayer::new(Bridge::new(store)).with_secure(false);
    Router::new()
        .route("/account", get(account))
        .route_layer(login_required!(Users))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build())
}
