//! Redis knows the application no more.

use http::StatusCode;
use servers::Redis;

use crate::client::{Client, prepared};

fn url(redis: &Redis) -> String {
    format!("redis://app:secret@127.0.0.1:{}", redis.port())
}

fn server() -> Redis {
    let redis = Redis::start().unwrap();
    redis.command(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all"]).unwrap();
    redis
}

/// NOPERM: on a connection that works otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn permissions_that_are_taken_away() {
    let redis = server();
    let mut client = Client::of(prepared(&url(&redis)).await);
    client.expect("/add", "1").await;
    let allow = |rule: &str| redis.command(&["ACL", "SETUSER", "app", rule]).unwrap();

    // Scripts alone: what only reads goes on.
    allow("-evalsha");
    client.expect("/", "1").await;
    for path in ["/add", "/login", "/renew", "/logout"] {
        client.expect_unavailable(path).await;
    }
    allow("+evalsha");
    client.expect("/add", "2").await;

    // The keys.
    allow("resetkeys");
    for path in ["/", "/add"] {
        client.expect_unavailable(path).await;
    }
    allow("~*");
    client.expect("/add", "3").await;

    // A part of the load alone must not be taken for "no session" or "no epoch".
    for command in ["hvals", "pexpire", "pexpiretime", "get"] {
        allow(&format!("-{command}"));
        client.expect_unavailable("/").await;
        allow(&format!("+{command}"));
        client.expect("/", "3").await;
    }

    // A part of the script alone: the commands inside are checked, too, before anything is written.
    for command in ["xadd", "hset", "pexpire"] {
        let held = client.hold("/add").await;
        allow(&format!("-{command}"));
        client.release(held).await.assert_unavailable(command);
        allow(&format!("+{command}"));
    }
}

/// WRONGPASS and NOAUTH: the password is changed, the user is deleted, connections are closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_taken_away() {
    let redis = server();
    let mut client = Client::of(prepared(&url(&redis)).await);
    client.expect("/add", "1").await;

    let mut expected = 1;
    for without in [&["ACL", "SETUSER", "app", "resetpass", ">other"][..], &["ACL", "DELUSER", "app"]] {
        redis.command(without).unwrap();
        redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        for path in ["/", "/add", "/logout"] {
            client.expect_unavailable(path).await;
        }
        redis.command(&["ACL", "SETUSER", "app", "on", "resetpass", ">secret", "~*", "&*", "+@all"]).unwrap();
        expected += 1;
        let answer = client.recovered("/add").await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, expected.to_string()));
    }
}

/// The database that the URL names is refused while a connection is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_taken_away() {
    let redis = server();
    let mut client = Client::of(prepared(&format!("{}/1", url(&redis))).await);
    client.expect("/add", "1").await;
    redis.command(&["ACL", "SETUSER", "app", "-select"]).unwrap();
    redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
    for path in ["/", "/add"] {
        client.expect_unavailable(path).await;
    }
    redis.command(&["ACL", "SETUSER", "app", "+select"]).unwrap();
    assert_eq!(client.recovered("/add").await.body, "2");
}

/// The application connects without a password, and now there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_new() {
    let redis = Redis::start().unwrap();
    redis.command(&["ACL", "SETUSER", "admin", "on", "nopass", "~*", "&*", "+@all"]).unwrap();
    let mut client = Client::of(prepared(&redis.url()).await);
    client.expect("/add", "1").await;
    // Another connection would need the password to take it away: the order must be one script's.
    redis.command(&["ACL", "SETUSER", "default", "resetpass", ">secret"]).unwrap();
    let admin = redis::Client::open(format!("redis://admin:x@127.0.0.1:{}", redis.port())).unwrap();
    let mut admin = admin.get_connection().unwrap();
    let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
    redis::cmd("CLIENT").arg(&kill).exec(&mut admin).unwrap();
    for path in ["/", "/add", "/logout"] {
        client.expect_unavailable(path).await;
    }
    redis::cmd("ACL").arg(&["SETUSER", "default", "nopass"]).exec(&mut admin).unwrap();
    assert_eq!(client.recovered("/add").await.body, "2");
}
