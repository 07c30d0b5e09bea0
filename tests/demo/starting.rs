use http::StatusCode;
use serde_json::json;
use servers::{Postgres, Redis};

use crate::{assert_contiguous, browser::Browser, kinds, process::Demo};

/// A machine with Rust and nothing else.
#[tokio::test]
async fn bare_machine() {
    let demo = Demo::with(&[("DEMO_EMBEDDED", "1")]).await;
    assert!(demo.output().contains("apt-get install redis-server postgresql"), "{}", demo.output());
    let browser = Browser::at(&demo);
    browser.add("box").await;
    browser.sign_in("alice").await;
    let session = browser.session().await;
    assert_eq!(session["cart"], json!({ "box": 1 }));
    assert_eq!((&session["store"], &session["round_trips"]), (&json!("embedded"), &json!(0)));
    let trail = browser.page("/trail").await;
    assert!(trail.contains("signed_in") && trail.contains("replaced"), "{trail}");
    assert_eq!(browser.get("/healthz").await.status(), StatusCode::OK);
    browser.submit("/sign-out", &[]).await;
    assert!(demo.terminate().await.0.success());
}

/// The port is taken, as by another demo.
#[tokio::test]
async fn next_free_port() {
    let first = Demo::with(&[("DEMO_EMBEDDED", "1")]).await;
    let port = first.url.rsplit(':').next().unwrap();
    let second = Demo::with(&[("DEMO_EMBEDDED", "1"), ("PORT", port)]).await;
    assert_ne!(first.url, second.url);
    for demo in [&first, &second] {
        assert_eq!(Browser::at(demo).get("/").await.status(), StatusCode::OK);
    }
}

/// Redis without PostgreSQL: sessions, no trail, and nothing that piles up in Redis.
#[tokio::test]
async fn redis_alone() {
    let redis = Redis::durable().unwrap();
    let demo = Demo::with(&[("REDIS_URL", &redis.url()), ("DEMO_TRAIL", "none")]).await;
    assert!(demo.output().contains("For a trail: apt-get install"), "{}", demo.output());
    let browser = Browser::at(&demo);
    browser.add("box").await;
    assert_eq!(browser.session().await["cart"], json!({ "box": 1 }));
    assert!(browser.page("/trail").await.contains("No trail is kept"));
    assert_eq!(redis.command(&["KEYS", "*audit*"]).unwrap(), "");
}

/// SIGTERM right behind the last request: everything is in PostgreSQL when the process is gone.
#[tokio::test]
async fn sigterm_flushes() {
    let (redis, postgres) = (Redis::durable().unwrap(), Postgres::start().unwrap());
    let demo = Demo::on("axum", &redis, &postgres).await;
    let browsers: Vec<_> = (0..50).map(|_| Browser::at(&demo)).collect();
    for browser in &browsers {
        browser.add("tag").await;
        browser.add("brush").await;
    }
    let (status, output) = demo.terminate().await;
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("the trail is complete: 100 rows stored"), "{output}");
    assert_eq!(kinds(&postgres).len(), 100);
    assert_contiguous(&postgres);
    for stream in redis.command(&["KEYS", "*:audit"]).unwrap().lines() {
        assert_eq!(redis.command(&["XLEN", stream]).unwrap(), "0", "{stream}");
    }
}
