//! A visit counter with a sign-in: `cargo run --example axum_quickstart`, then <http://localhost:3000>.
use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use cloakroom::cookie::CookieConfig;
use cloakroom::error::Error;
use cloakroom::manager::SessionConfig;
use cloakroom::service::SessionLayer;
use cloakroom::session::{Key, Login, Session};
use cloakroom::store::MemoryStore;

const VISITS: Key<u64> = Key::new("visits");

async fn visit(session: Session) -> Result<Html<String>, Error> {
    // Runs again on the newer value if another request counts at the same time: no visit is lost.
    session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
    let (visits, signed_in) = (session.get(VISITS)?.unwrap_or(0), session.user().is_some());
    let button = if signed_in { "sign-out" } else { "sign-in" };
    Ok(Html(format!("<p>Visit {visits}.<form method=post action=/{button}><button>{button}</button></form>")))
}

// Check a password first, of course. Signing in changes the token, and only what is carried comes along.
async fn sign_in(session: Session) -> Result<Redirect, Error> {
    session.login(Login::user("alice").carry(["visits"]))?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // A cookie for plain HTTP on this machine. In production leave the default: it is `Secure`.
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    let app = Router::new()
        .route("/", get(visit))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(async |session: Session| session.logout().map(|()| Redirect::to("/"))))
        // In production: `RedisStore::new("redis://127.0.0.1")?`. This store is gone with the process.
        .layer(SessionLayer::with_config(MemoryStore::new(), config));
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await
}
