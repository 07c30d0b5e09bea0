//! Both applications over HTTP, on one Redis.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that can't go on shall stop")]

use axum::Router;
use axum_login_example::{ours, theirs};
use cloakroom::store::RedisStore;
use reqwest::Client;

/// Serves `app` on a free port, and answers its address.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

struct Visitor {
    client: Client,
    site: String,
}

impl Visitor {
    fn new(site: &str) -> Self {
        Self { client: Client::builder().cookie_store(true).build().unwrap(), site: site.to_owned() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.site)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let response = self.client.post(format!("{}{path}", self.site)).form(form).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn sign_in(&self, password: &str) -> u16 {
        self.post("/sign-in", &[("name", "alice"), ("password", password)]).await.0
    }
}

async fn signs_in_and_out(site: &str) {
    let (alice, stranger) = (Visitor::new(site), Visitor::new(site));
    assert_eq!(alice.get("/account").await.0, 401);
    assert_eq!(alice.sign_in("guess").await, 401);
    assert_eq!(alice.get("/account").await.0, 401);
    assert_eq!(alice.sign_in("wonderland").await, 200);
    assert_eq!(alice.get("/account").await, (200, "signed in as alice".to_owned()));
    assert_eq!(stranger.get("/account").await.0, 401);
    // In another browser, too, and one does not sign the other out.
    assert_eq!(stranger.sign_in("wonderland").await, 200);
    assert_eq!(alice.post("/sign-out", &[]).await, (200, "bye".to_owned()));
    assert_eq!(alice.get("/account").await.0, 401);
    assert_eq!(stranger.get("/account").await.0, 200);
}

#[tokio::test]
async fn both_applications_sign_in_and_out() {
    let redis = servers::Redis::start().unwrap();
    let store = RedisStore::builder(redis.url()).audit(true).build().unwrap();
    signs_in_and_out(&serve(theirs::app(store.clone())).await).await;
    signs_in_and_out(&serve(ours::app(store)).await).await;
    let keys = redis.command(&["KEYS", "*:s:*"]).unwrap();
    assert_eq!(keys.lines().count(), 2, "the stranger's two sessions: {keys}");
}
