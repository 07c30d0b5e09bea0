//! The cookie of production, which the demo over plain HTTP can't have: `__Host-Http-id`, with `Secure`. To a browser,
//! `localhost` is as good as HTTPS.

use axum::{Router, extract::Path, routing::get};
use cloakroom::{
    error::Error,
    service::SessionLayer,
    session::{Login, Session},
    store::MemoryStore,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{devtools::DevTools, profile::Profile, tab::Tab, watch::Watch, world};

const NAME: &str = "__Host-Http-id";

/// A site that tells who is signed in.
async fn site() -> String {
    async fn who(session: Session) -> String {
        session.user().unwrap_or_else(|| "nobody".to_owned())
    }
    async fn sign_in(session: Session, Path(name): Path<String>) -> Result<String, Error> {
        session.login(Login::user(&*name))?;
        Ok(name)
    }
    let app = Router::new().route("/", get(who)).route("/sign-in/{name}", get(sign_in));
    let app = app.layer(SessionLayer::new(MemoryStore::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://localhost:{port}")
}

#[tokio::test]
async fn no_script_forges_the_cookie_of_production() {
    let url = site().await;
    let devtools = DevTools::connect(world::browser()).await;
    let watch = Watch::new(&devtools);
    let profile = async || Profile::new(&devtools, &watch, &url).await;

    let (mallory, visitor, alice) = (profile().await, profile().await, profile().await);
    mallory.open("/sign-in/mallory").await;
    let [planted] = <[Value; 1]>::try_from(mallory.cookies().await).unwrap();
    let told =
        ["name", "domain", "path", "expires", "httpOnly", "secure", "sameSite"].map(|field| &planted[field]);
    assert_eq!(json!(told), json!([NAME, "localhost", "/", -1, true, true, "Lax"]));
    let planted = planted["value"].as_str().unwrap();

    let at_visitors = visitor.open("/").await;
    let at_alices = alice.open("/sign-in/alice").await;
    for (tab, browser, own) in [(&at_visitors, &visitor, 0), (&at_alices, &alice, 1)] {
        // What the browser refuses.
        for line in [
            format!("{NAME}={planted}; path=/; secure"),
            format!("{NAME}={planted}; path=/"),
            format!("{NAME}={planted}; path=/sign-in; secure"),
            format!("{NAME}={planted}; path=/; secure; domain=localhost"),
            format!("__host-http-ID={planted}; path=/; secure"),
            format!("={NAME}={planted}; path=/; secure"),
            format!("{NAME}\u{3000}={planted}; path=/; secure"),
        ] {
            browser.script_sets(tab, &line).await;
            assert_eq!(browser.cookies().await.len(), own, "{line}");
        }
        // What it takes, since to a browser these are other names.
        let names = [
            "%5F%5FHost-Http-id",
            "__Host%2DHttp-id",
            "\u{2000}__Host-Http-id",
            "\u{a0}__Host-Http-id",
            "$__Host-Http-id",
        ];
        for name in names {
            browser.script_sets(tab, &format!("{name}={planted}; path=/; secure")).await;
        }
        assert_eq!(browser.cookies().await.len(), own + names.len(), "{:?}", browser.cookies().await);
    }
    assert_eq!((who(&at_visitors).await, who(&at_alices).await), (json!("nobody"), json!("alice")));

    // A jar has room for so many, and then the oldest go. Nothing of mallory's comes in for it.
    let many = "for (let n = 0; n < 400; n++) document.cookie = `n${n}=; path=/; secure`";
    at_alices.eval(many).await;
    alice.script_sets(&at_alices, &format!("{NAME}={planted}; path=/; secure")).await;
    assert!([json!("nobody"), json!("alice")].contains(&who(&at_alices).await));
}

async fn who(tab: &Tab) -> Value {
    tab.eval("fetch('/').then((answer) => answer.text())").await
}
