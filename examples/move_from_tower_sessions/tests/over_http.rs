//! Somebody who is in the middle of something while the application moves.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that can't go on shall stop")]

use axum::Router;
use cloakroom::store::RedisStore;
use move_from_tower_sessions::{after, before};
use reqwest::{Client, header};

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// The same host before and after the move, since cookies know no ports.
struct Move {
    redis: servers::Redis,
    before: String,
    after: String,
}

async fn moving() -> Move {
    let redis = servers::Redis::start().unwrap();
    let (store, old) = (RedisStore::new(redis.url()).unwrap(), tower_sessions::MemoryStore::default());
    let before = serve(before::app(old.clone())).await;
    let after = serve(after::app(store, old)).await;
    Move { redis, before, after }
}

fn browser() -> Client {
    Client::builder().cookie_store(true).build().unwrap()
}

async fn get(client: &Client, site: &str, path: &str) -> (u16, String) {
    let response = client.get(format!("{site}{path}")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn nobody_is_signed_out_and_nothing_is_lost() {
    let Move { before, after, redis } = moving().await;
    let alice = browser();
    for count in ["1", "2"] {
        assert_eq!(get(&alice, &before, "/count").await, (200, count.to_owned()));
    }
    assert_eq!(get(&alice, &before, "/sign-in").await.0, 200);
    assert_eq!(get(&alice, &after, "/account").await, (200, "alice".to_owned()));
    assert_eq!(get(&alice, &after, "/count").await, (200, "3".to_owned()));
    // The old session is over: with its cookie gone, the old application knows nobody.
    assert_eq!(get(&alice, &before, "/account").await.0, 401);
    assert_eq!(redis.command(&["KEYS", "*:s:*"]).unwrap().lines().count(), 1);
    assert_eq!(get(&alice, &after, "/sign-out").await.0, 200);
    assert_eq!(get(&alice, &after, "/account").await.0, 401);
}

#[tokio::test]
async fn the_old_cookie_is_worth_nothing_after_the_move() {
    let Move { before, after, redis: _redis } = moving().await;
    let response = reqwest::get(format!("{before}/sign-in")).await.unwrap();
    let cookie =
        response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let visit = async |site: &str| {
        let request = Client::new().get(format!("{site}/account")).header(header::COOKIE, &cookie);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((visit(&before).await, visit(&after).await), (200, 200));
    assert_eq!((visit(&before).await, visit(&after).await), (401, 401));
}

#[tokio::test]
async fn a_visitor_without_an_old_session_costs_nothing() {
    let Move { after, redis, .. } = moving().await;
    assert_eq!(get(&browser(), &after, "/account").await.0, 401);
    let forged =
        Client::new().get(format!("{after}/account")).header(header::COOKIE, "sid=AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(forged.send().await.unwrap().status().as_u16(), 401);
    assert_eq!(redis.command(&["KEYS", "*:s:*"]).unwrap(), "");
}

#[tokio::test]
async fn without_our_store_nobody_is_moved_or_signed_out() {
    let Move { before, after, mut redis } = moving().await;
    let alice = browser();
    assert_eq!(get(&alice, &before, "/sign-in").await.0, 200);
    redis.kill().unwrap();
    assert_eq!(get(&alice, &after, "/account").await.0, 503);
    assert_eq!(get(&alice, &before, "/account").await, (200, "alice".to_owned()));
    redis.restart().unwrap();
    assert_eq!(get(&alice, &after, "/account").await, (200, "alice".to_owned()));
}
