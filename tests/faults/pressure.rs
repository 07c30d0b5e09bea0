//! Redis refuses.

use http::StatusCode;
use servers::Redis;

use crate::client::{Client, prepared, store};

/// A full server refuses commits, all of each, and still signs people out.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_still_signs_out() {
    let redis = Redis::start().unwrap();
    let store = prepared(&redis.url()).await;
    let (mut one, mut other) = (Client::of(store.clone()), Client::of(store));
    one.expect("/add", "1").await;
    other.expect("/add", "1").await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();

    one.expect_unavailable("/add").await;
    one.expect_unavailable("/big").await;
    one.expect("/", "1").await;
    let answer = other.get("/logout").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.set_cookie.unwrap().contains("Max-Age=0"));

    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    one.expect("/add", "2").await;
    other.expect("/", "0").await;
}

/// The audit entry is the first write of a script: where it can't be written, nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_audit_entry_a_change_does_not_happen() {
    let redis = Redis::start().unwrap();
    let mut client = Client::of(prepared(&redis.url()).await);
    client.expect("/add", "1").await;
    let streams = redis.command(&["KEYS", "session:*:audit"]).unwrap();
    let stream = streams.lines().next().unwrap();
    redis.command(&["RENAME", stream, "aside"]).unwrap();
    redis.command(&["SET", stream, "not a stream"]).unwrap();
    for path in ["/add", "/renew", "/logout"] {
        client.expect_unavailable(path).await;
    }
    redis.command(&["DEL", stream]).unwrap();
    client.expect("/", "1").await;
    client.expect("/add", "2").await;
    let session = redis.command(&["KEYS", "session:*:s:*"]).unwrap();
    let heads = redis.command(&[
        "EVAL",
        "return string.match(redis.call('HGET', KEYS[1], 'h'), '%d+')",
        "1",
        &session,
    ]);
    assert_eq!(heads.unwrap(), "2", "one version for each commit");
}

/// A demoted master answers reads and refuses writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_an_outage() {
    let redis = Redis::start().unwrap();
    let mut client = Client::of(prepared(&redis.url()).await);
    client.expect("/add", "1").await;
    redis.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    redis.command(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]).unwrap();
    client.expect_unavailable("/add").await;
    redis.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    assert_eq!(client.recovered("/add").await.body, "2");
}

/// Another shard count would look for every session in the wrong place.
#[tokio::test(flavor = "multi_thread")]
async fn another_shard_count_is_refused_at_start() {
    use cloakroom::{
        error::ErrorKind,
        store::{RedisStore, SessionStore as _},
    };
    let redis = Redis::start().unwrap();
    store(&redis.url()).ready().await.unwrap();
    let error = RedisStore::builder(redis.url()).shards(128).build().unwrap().ready().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("64") && error.to_string().contains("128"), "{error}");
}
