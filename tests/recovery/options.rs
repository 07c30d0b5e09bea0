//! One user, one moment, nothing at all.

use std::time::Duration;

use cloakroom::audit::recovery::ProblemKind;
use serde_json::json;

use crate::site::{SHARDS, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_changes_nothing_and_tells_the_same() {
    let site = Site::start().await;
    let alice = site.run("", "login alice; secret otp 1").await.token.unwrap();
    let bob = site.run("", "login bob").await.token.unwrap();
    site.run(&bob, "logout").await;
    site.lose().await;
    let dry = site.recovery().dry_run().run().await.unwrap();
    assert_eq!(site.redis(&["DBSIZE"]), "0", "{}", site.redis(&["KEYS", "*"]));
    let report = site.recovery().run().await.unwrap();
    assert_eq!(dry, report);
    assert_eq!((report.restored, report.ended), (1, 1));
    assert_eq!(site.run(&alice, "user").await.told, [json!("alice")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_alone() {
    let site = Site::start().await;
    let mut tokens = Vec::new();
    for user in ["alice", "bob", "alice"] {
        let token = site.run("", &format!("login {user}")).await.token.unwrap();
        tokens.push(site.run(&token, &format!("renew; write who \"{user}\"")).await.token.unwrap());
    }
    site.lose().await;
    let report = site.recovery().user("alice").run().await.unwrap();
    assert_eq!((report.sessions, report.restored), (2, 2), "{report:?}");
    let expected = [json!("\"alice\""), json!(null), json!("\"alice\"")];
    for (token, expected) in tokens.iter().zip(expected) {
        assert_eq!(site.run(token, "read who").await.told, [expected]);
    }
    let report = site.recovery().user("nobody").run().await.unwrap();
    assert_eq!(report.sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_an_earlier_moment_and_never_tokens_of_one() {
    let site = Site::start().await;
    let alice = site.run("", "login alice; write n 1; secret otp 1").await.token.unwrap();
    let bob = site.run("", "login bob; write n 1").await.token.unwrap();
    let carol = site.run("", "login carol; write n 1").await.token.unwrap();
    site.run(&alice, "write n 2; write old true").await;
    let moment = site.tick().await;
    site.run(&alice, "write n 3; remove old; write new true").await;
    let bob_2 = site.run(&bob, "renew; write n 2").await.token.unwrap();
    site.run(&carol, "logout").await;
    let dave = site.run("", "login dave").await.token.unwrap();
    site.lose().await;

    let report = site.recovery().until(moment).run().await.unwrap();
    assert_eq!((report.restored, report.ended, report.later), (2, 1, 1), "{report:?}");
    let told = site.run(&alice, "read n; read old; read new; version").await.told;
    assert_eq!(told, [json!("2"), json!("true"), json!(null), json!(4)]);
    assert_eq!(site.run(&bob_2, "read n").await.told, [json!("1")]);
    assert_eq!(site.run(&bob, "user").await.told, [json!(null)], "that token was given up");
    assert_eq!(site.run(&carol, "ended").await.told, [json!("logged_out")]);
    assert_eq!(site.run(&dave, "user").await.told, [json!(null)]);

    // The trail tells the values that came back, so that a second loss brings the same.
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.problems.len()), (3, 0), "{report:?}");
    let told = site.run(&alice, "read n; read old; read new; version").await.told;
    assert_eq!(told, [json!("2"), json!("true"), json!(null), json!(5)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_the_lost_moments_can_be_left_out() {
    let site = Site::start().await;
    let quiet = site.run("", "login alice").await.token.unwrap();
    let busy = site.run("", "login bob").await.token.unwrap();
    let moment = site.tick().await;
    site.tick().await;
    site.run(&busy, "write n 1").await;
    site.lose().await;
    let report = site.recovery().drop_active_since(moment).run().await.unwrap();
    // Both signed in before or at that moment's millisecond; one wrote after it.
    let kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind.clone()).collect();
    assert_eq!((report.restored, report.left_out, kinds), (1, 1, vec![ProblemKind::ActiveSince]));
    assert_eq!(site.run(&quiet, "user").await.told, [json!("alice")]);
    assert_eq!(site.run(&busy, "user").await.told, [json!(null)]);
    assert!(!report.known_until.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_time_can_be_counted_from_the_last_write() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    site.lose().await;
    site.tick().await;
    let recovery = site.recovery().idle_timeout(Duration::from_millis(1)).idle_from_last_write();
    let report = recovery.run().await.unwrap();
    assert_eq!((report.restored, report.expired), (0, 1), "{report:?}");
    let idle = Duration::from_secs(1000);
    let report = site.recovery().idle_timeout(idle).idle_from_last_write().run().await.unwrap();
    assert_eq!(report.restored, 1);
    let keys = site.keys();
    let session = keys.iter().find(|key| key.contains(":s:")).unwrap();
    let ttl: u64 = site.redis(&["PTTL", session]).parse().unwrap();
    assert!(ttl < 1_000_000, "{ttl}");
    assert_eq!(site.run(&token, "user").await.told, [json!("alice")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_shards_is_refused() {
    let site = Site::start().await;
    for n in 0..8 {
        site.run("", &format!("login user-{n}")).await;
    }
    site.lose().await;
    let url = site.redis.lock().unwrap().url();
    let other = cloakroom::store::RedisStore::builder(url).namespace("shop").shards(SHARDS / 4);
    let other = other.audit(true).build().unwrap();
    let recovery = cloakroom::audit::Recovery::new(&other, site.pool.clone());
    let error = recovery.dry_run().run().await.unwrap_err();
    assert_eq!(error.kind(), cloakroom::error::ErrorKind::Mismatch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_remembered_is_so_for_as_long_as_before() {
    let site = Site::start().await;
    let ordinary = site.run("", "login alice").await.token.unwrap();
    let remembered = site.run("", "remember bob").await.token.unwrap();
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!(report.restored, 2, "{report:?}");
    let keys = site.redis(&["KEYS", "*:s:*"]);
    let mut days: Vec<u64> = keys
        .lines()
        .map(|key| site.redis(&["PTTL", key]).parse::<u64>().unwrap().div_ceil(24 * 60 * 60 * 1000))
        .collect();
    days.sort_unstable();
    assert_eq!(days, [1, 14], "{keys}");
    assert_eq!(site.run(&remembered, "user").await.told, [json!("bob")]);
    assert_eq!(site.run(&ordinary, "user").await.told, [json!("alice")]);
}
