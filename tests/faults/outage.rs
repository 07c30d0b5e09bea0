//! Redis is away for a while.

use http::StatusCode;
use servers::Redis;

use crate::client::Client;

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let mut redis = Redis::durable().unwrap();
    let mut client = Client::at(&redis.url());
    client.expect("/add", "1").await;
    redis.kill().unwrap();
    for path in ["/", "/add", "/logout", "/login"] {
        client.expect_unavailable(path).await;
    }
    redis.restart().unwrap();
    let answer = client.recovered("/add").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "2"));
    client.expect("/login", "2").await;
    client.expect("/", "2").await;
}

/// SIGSTOP is what a stuck disk or a paused virtual machine looks like: connections stay open.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_continued() {
    let redis = Redis::start().unwrap();
    let mut client = Client::at(&redis.url());
    client.expect("/add", "1").await;
    redis.pause().unwrap();
    client.expect_unavailable("/").await;
    client.expect_unavailable("/add").await;
    redis.resume().unwrap();
    let answer = client.recovered("/").await;
    assert_eq!(
        answer.body, "1",
        "a request that was answered with 503 before its handler ran changed nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_starts_before_redis() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    let mut client = Client::at(&redis.url());
    // A visitor without a cookie needs no Redis, and gets the page.
    client.expect("/", "0").await;
    client.expect_unavailable("/add").await;
    redis.restart().unwrap();
    assert_eq!(client.recovered("/add").await.body, "1");
}

/// After `SCRIPT FLUSH`, a restart or a failover the server does not know the scripts any more.
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_scripts_are_loaded_again() {
    let redis = Redis::start().unwrap();
    let mut client = Client::at(&redis.url());
    for (n, path) in ["/add", "/add", "/login", "/add", "/renew", "/add", "/logout"].into_iter().enumerate() {
        redis.command(&["SCRIPT", "FLUSH"]).unwrap();
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "step {n}, {path}");
    }
}

/// A server that closes its idle connections, and one that closes all of them at once.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_are_not_noticed() {
    let redis = Redis::start().unwrap();
    let mut client = Client::at(&redis.url());
    client.expect("/add", "1").await;
    for n in 2..12 {
        redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        client.expect("/add", &n.to_string()).await;
    }
}

/// What else is down, an empty server is none: everybody is signed out, and nothing breaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_server_has_no_sessions() {
    let redis = Redis::start().unwrap();
    let mut client = Client::at(&redis.url());
    client.expect("/add", "1").await;
    redis.command(&["FLUSHALL"]).unwrap();
    client.expect("/", "0").await;
    client.expect("/add", "1").await;
    client.expect("/add", "2").await;
}
