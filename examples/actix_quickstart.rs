//! A visit counter with a sign-in: `cargo run --example actix_quickstart`, then <http://localhost:3000>.
use actix_web::{App, HttpServer, web};
use cloakroom::actix::SessionMiddleware;
use cloakroom::cookie::CookieConfig;
use cloakroom::error::Error;
use cloakroom::manager::SessionConfig;
use cloakroom::session::{Key, Login, Session};
use cloakroom::store::MemoryStore;

const VISITS: Key<u64> = Key::new("visits");

async fn visit(session: Session) -> Result<web::Html, Error> {
    // Runs again on the newer value if another request counts at the same time: no visit is lost.
    session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
    let (visits, signed_in) = (session.get(VISITS)?.unwrap_or(0), session.user().is_some());
    let button = if signed_in { "sign-out" } else { "sign-in" };
    let form = format!("<form method=post action=/{button}><button>{button}</button></form>");
    Ok(web::Html::new(format!("<p>Visit {visits}.{form}")))
}

// Check a password first, of course. Signing in changes the token, and only what is carried comes along.
async fn sign_in(session: Session) -> Result<web::Redirect, Error> {
    session.login(Login::user("alice").carry(["visits"]))?;
    Ok(web::Redirect::to("/").see_other())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    // A cookie for plain HTTP on this machine. In production leave the default: it is `Secure`.
    let config = SessionConfig::default().with_cookie(CookieConfig::insecure_for_local_development());
    // In production: `RedisStore::new("redis://127.0.0.1")?`. This store is gone with the process.
    let sessions = SessionMiddleware::with_config(MemoryStore::new(), config);
    let server = HttpServer::new(move || {
        let app = App::new().route("/", web::get().to(visit)).route("/sign-in", web::post().to(sign_in));
        let out = async |session: Session| session.logout().map(|()| web::Redirect::to("/").see_other());
        app.route("/sign-out", web::post().to(out)).wrap(sessions.clone())
    });
    server.bind("127.0.0.1:3000")?.run().await
}
