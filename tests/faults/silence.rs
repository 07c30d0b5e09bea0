//! Nothing is refused, and nothing comes back.

use std::time::Duration;

use http::StatusCode;
use servers::Redis;

use crate::{
    client::{Client, TIMEOUT, prepared},
    proxy::Proxy,
};

/// A cable is pulled and put back.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_line_that_thaws() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let mut client = Client::of(prepared(&proxy.url()).await);
    client.expect("/add", "1").await;
    for path in ["/", "/add", "/logout"] {
        proxy.freeze();
        client.expect_unavailable(path).await;
        proxy.thaw();
        // What was asked while the line was dead was never more than a load.
        client.recovered("/").await;
        client.expect("/", "1").await;
    }
    // The load is through, and the line dies under the commit: it may yet come to pass, once.
    let mut shown = "1".to_owned();
    for (path, done) in [("/add", Some("2")), ("/renew", None), ("/login", Some("0"))] {
        let held = client.hold(path).await;
        proxy.freeze();
        let begun = std::time::Instant::now();
        client.release(held).await.assert_unavailable(path);
        assert!(begun.elapsed() < TIMEOUT * 2);
        proxy.thaw();
        let answer = client.recovered("/").await;
        assert_eq!(answer.status, StatusCode::OK);
        // The sign-in's new token is lost with its response: nobody is signed in then.
        assert!(answer.body == shown || Some(&*answer.body) == done, "{path}: {answer:?}");
        shown = answer.body;
    }
}

/// A firewall has forgotten the connection: it stays open for ever and nothing passes. New ones work,
/// so the client has to make one without being told.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stays_frozen_is_given_up() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let mut client = Client::of(prepared(&proxy.url()).await);
    client.expect("/add", "1").await;
    for n in 2..5 {
        proxy.let_new_ones_through();
        client.expect_unavailable("/add").await;
        let answer = client.recovered("/add").await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, n.to_string()));
    }
}

/// Redis takes five seconds for everything: each answer comes when nobody waits for it any more, and
/// none of them may be taken for that to a later question.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_after_five_seconds() {
    let redis = Redis::start().unwrap();
    let store = prepared(&redis.url()).await;
    let mut clients: Vec<_> = (0..4).map(|_| Client::of(store.clone())).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        for count in 0..=n {
            client.expect("/add", &(count + 1).to_string()).await;
        }
    }
    let held = clients[0].hold("/add").await;
    redis.command(&["CLIENT", "PAUSE", "5000", "ALL"]).unwrap();
    let paused = std::time::Instant::now();
    clients[0].release(held).await.assert_unavailable("/add");
    for client in &mut clients[1..3] {
        client.expect_unavailable("/").await;
    }
    assert!(paused.elapsed() < Duration::from_secs(5), "each waited for its own bound only");
    for (n, client) in clients.iter_mut().enumerate().rev() {
        let answer = client.recovered("/").await;
        // The first one's commit was in Redis' hands, and may have come to pass.
        let shown: usize = answer.body.parse().unwrap();
        assert!(shown == n + 1 || (n == 0 && shown == 2), "{n}: {shown}");
        client.expect("/add", &(shown + 1).to_string()).await;
    }
}
