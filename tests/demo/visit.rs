use serde_json::json;
use servers::{Postgres, Redis};

use crate::{assert_contiguous, browser::Browser, kinds, process::Demo, rows, secrets};

by_each_framework!(from_sign_in_to_sign_out);

/// From the first visit to sign-out, and what is left of it in Redis, in PostgreSQL and in the log.
async fn from_sign_in_to_sign_out(framework: &str) {
    let (redis, postgres) = (Redis::durable().unwrap(), Postgres::start().unwrap());
    let demo = Demo::on(framework, &redis, &postgres).await;
    let browser = Browser::at(&demo);

    assert!(browser.page("/").await.contains("Counter bell"));
    assert_eq!(browser.token(), None, "looking around makes no session");

    browser.add("umbrella").await;
    let anonymous = browser.session().await;
    let planted = browser.token().unwrap();
    assert_eq!(anonymous["user"], json!(null));

    browser.sign_in("alice").await;
    let alice = browser.session().await;
    let token = browser.token().unwrap();
    assert_ne!(planted, token);
    assert_ne!(anonymous["ref"], alice["ref"]);
    assert_eq!(alice["user"], "alice");
    assert_eq!(alice["cart"], json!({ "umbrella": 1 }), "the cart came along");
    assert_eq!(alice["version"], 1);
    assert_eq!(alice["round_trips"], 1);
    assert_eq!(alice["store"], "redis");

    browser.add("umbrella").await;
    browser.add("bell").await;
    browser.submit("/cart/remove", &[("item", "umbrella")]).await;
    let alice = browser.session().await;
    assert_eq!((&alice["cart"], &alice["version"]), (&json!({ "bell": 1, "umbrella": 1 }), &json!(4)));

    let mut everywhere = secrets::of_redis(&redis);

    browser.submit("/sign-out", &[]).await;
    assert_eq!(browser.token(), None, "the cookie was removed");
    for dead in [&planted, &token] {
        browser.present(dead);
        let session = browser.session().await;
        assert_eq!((&session["user"], &session["cart"]), (&json!(null), &json!({})), "signed out for good");
    }

    let (status, output) = demo.terminate().await;
    assert!(status.success(), "{status}");
    let expected = ["created", "ended", "signed_in", "changed", "changed", "changed", "ended"];
    assert_eq!(kinds(&postgres), expected);
    let reasons = "SELECT reason FROM cloakroom.session_event WHERE kind = 'ended' ORDER BY occurred_at";
    assert_eq!(rows(&postgres, reasons), ["replaced", "logged_out"]);
    assert_contiguous(&postgres);

    everywhere.extend(secrets::of_redis(&redis));
    everywhere.push(("the trail".into(), secrets::of_postgres(&postgres)));
    everywhere.push(("the log".into(), output.into_bytes()));
    for token in [&planted, &token] {
        secrets::assert_absent(token, &everywhere);
    }
}
