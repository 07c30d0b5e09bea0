use http::{StatusCode, header};
use serde_json::json;
use servers::{Postgres, Redis};

use crate::{
    assert_contiguous,
    browser::Browser,
    kinds,
    process::{Demo, signal},
    rows, until,
};

/// 503 with `Retry-After`, the cookie left alone; then the same cookie works again, cart and all.
#[tokio::test]
async fn redis_is_killed_and_comes_back() {
    let (mut redis, postgres) = (Redis::durable().unwrap(), Postgres::start().unwrap());
    let demo = Demo::on("axum", &redis, &postgres).await;
    let browser = Browser::at(&demo);
    browser.add("hat").await;
    browser.sign_in("alice").await;
    let before = browser.session().await;
    let token = browser.token();

    redis.kill().unwrap();
    let answers = [
        browser.get("/").await,
        browser.get("/session.json").await,
        browser.post("/cart/add", &[("item", "bell")]).await,
        browser.post("/sign-out", &[]).await,
    ];
    for response in answers {
        let (url, headers) = (response.url().clone(), response.headers());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{url}");
        assert!(headers.contains_key(header::RETRY_AFTER), "{url}");
        assert!(!headers.contains_key(header::SET_COOKIE), "{url}");
    }
    assert_eq!(browser.get("/healthz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.get("/trail").await.status(), StatusCode::OK, "the trail is in PostgreSQL");

    redis.restart().unwrap();
    until("sessions are back", async || browser.get("/session.json").await.status() == StatusCode::OK).await;
    let after = browser.session().await;
    assert_eq!(
        (&after["ref"], &after["user"], &after["cart"]),
        (&before["ref"], &before["user"], &before["cart"])
    );
    assert_eq!(browser.token(), token);
    browser.add("bell").await;
    assert_eq!(browser.session().await["cart"], json!({ "bell": 1, "hat": 1 }));
}

/// No request notices, and not one row is lost.
#[tokio::test]
async fn postgres_is_killed_and_comes_back() {
    let (redis, mut postgres) = (Redis::durable().unwrap(), Postgres::start().unwrap());
    let demo = Demo::on("axum", &redis, &postgres).await;
    let browser = Browser::at(&demo);
    browser.add("coat").await;
    until("the first row is stored", async || kinds(&postgres).len() == 1).await;

    postgres.kill().unwrap();
    for _ in 0..40 {
        browser.add("peg").await;
    }
    assert_eq!(browser.session().await["cart"], json!({ "coat": 1, "peg": 40 }));
    assert_eq!(browser.get("/healthz").await.status(), StatusCode::OK, "the shop itself is well");
    assert!(browser.page("/trail").await.contains("Entries wait in Redis"));

    postgres.restart().unwrap();
    until("all rows are stored", async || kinds(&postgres).len() == 41).await;
    assert_contiguous(&postgres);
    let last =
        "SELECT delta->'set'->'cart'->>'peg' FROM cloakroom.session_event ORDER BY version DESC LIMIT 1";
    assert_eq!(rows(&postgres, last), ["40"]);
    until("the page shows them", async || browser.page("/trail").await.contains("In PostgreSQL after")).await;
}

/// What a reader of the banner is invited to try.
#[tokio::test]
async fn private_servers_are_started_again_and_end_with_the_demo() {
    let demo = Demo::with(&[]).await;
    let browser = Browser::at(&demo);
    browser.add("scarf").await;
    browser.sign_in("bob").await;
    let before = browser.session().await;

    let redis = demo.pid_of("store");
    signal("KILL", redis);
    until("the outage is noticed", async || browser.get("/").await.status() != StatusCode::OK).await;
    until("it is over", async || browser.get("/").await.status() == StatusCode::OK).await;
    let after = browser.session().await;
    assert_eq!((&after["ref"], &after["cart"]), (&before["ref"], &before["cart"]));

    let postgres = demo.pid_of("trail");
    signal("KILL", postgres);
    browser.add("gloves").await;
    until("the trail is back, complete", async || {
        let page = browser.page("/trail").await;
        page.contains("signed_in") && page.contains("gloves")
    })
    .await;

    let output = demo.output();
    let revived: Vec<u32> = output
        .lines()
        .filter_map(|line| line.split_once(" is back (pid ")?.1.strip_suffix(')')?.parse().ok())
        .collect();
    assert_eq!(revived.len(), 2, "{output}");
    let (status, _) = demo.terminate().await;
    assert!(status.success(), "{status}");
    for pid in revived {
        assert!(!servers::is_alive(pid), "{pid} was left behind");
    }
}
