//! Every session was voided by raising the epoch, and Redis forgets that.

use cloakroom::{
    audit::{AuditQueue, recovery::ProblemKind},
    session::SessionAdmin,
};
use serde_json::json;

use crate::site::Site;

fn epochs(site: &Site) -> Vec<String> {
    let keys = site.redis(&["KEYS", "*:epoch"]);
    keys.lines().map(|key| site.redis(&["GET", key])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_began_before_the_epoch_was_raised_stays_dead() {
    let site = Site::start().await;
    let admin = SessionAdmin::new(site.store.clone());
    let before = site.run("", "login alice; write n 1").await.token.unwrap();
    let cart = site.run("", "write cart 1").await.token.unwrap();
    assert_eq!(admin.revoke_everyone().await.unwrap(), 1);
    assert_eq!(admin.revoke_everyone().await.unwrap(), 2);
    let after = site.run("", "login alice; write n 2").await.token.unwrap();
    site.lose().await;

    let dry = site.recovery().dry_run().run().await.unwrap();
    assert_eq!(site.redis(&["DBSIZE"]), "0");
    let report = site.recovery().run().await.unwrap();
    assert_eq!(dry, report);
    assert_eq!((report.restored, report.ended, report.epochs_raised), (1, 2, 4), "{report:?}");
    assert_eq!((report.rows_without_session, report.problems.len()), (0, 0), "{report:?}");
    assert_eq!(epochs(&site), ["2"; 4]);
    assert_eq!(site.run(&before, "user; ended").await.told, [json!(null), json!("epoch")]);
    assert_eq!(site.run(&cart, "ended").await.told, [json!("epoch")]);
    assert_eq!(site.run(&after, "user; read n").await.told, [json!("alice"), json!("2")]);
    // The next raise is above all that there were, and voids what came back, in its user's list, too.
    assert_eq!(admin.revoke_everyone().await.unwrap(), 3);
    assert_eq!(site.run(&after, "user; ended").await.told, [json!(null), json!("epoch")]);
    assert!(admin.sessions_of("alice").await.unwrap().is_empty());
    site.drain().await;
    assert!(site.verify().run().await.unwrap().is_sound());
}

/// After a failover the trail knows of a raise that Redis forgot: it counts for sessions that live on, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_raise_is_made_again() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    SessionAdmin::new(site.store.clone()).revoke_everyone().await.unwrap();
    site.drain().await;
    for key in site.redis(&["KEYS", "*:epoch"]).lines() {
        site.redis(&["SET", key, "0"]);
    }
    assert_eq!(site.run(&token, "user").await.told, [json!("alice")]);
    site.recovery().run().await.unwrap();
    assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
}

/// The raise is in Redis, and nowhere else yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_that_still_waits_counts() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    site.lose().await;
    SessionAdmin::new(site.store.clone()).revoke_everyone().await.unwrap();
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (0, 1), "{report:?}");
    assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
}

/// Redis counts a raise that nobody told: perhaps it came after the session began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_of_which_nobody_knows_when_is_reported_and_not_guessed() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    site.lose().await;
    SessionAdmin::new(site.store.clone()).revoke_everyone().await.unwrap();
    for stream in site.redis(&["KEYS", "*:audit"]).lines() {
        site.redis(&["DEL", stream]);
    }
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.left_out), (0, 1), "{report:?}");
    assert_eq!(report.problems[0].kind, ProblemKind::EpochUntold);
    let report = site.recovery().over_gaps().run().await.unwrap();
    assert_eq!(report.restored, 1, "whoever says so gets it");
    assert_eq!(site.run(&token, "user").await.told, [json!("alice")]);
}

/// Everything is voided while sessions are put back: what the recovery read before is no longer true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_in_the_middle_voids_what_comes_back_after_it() {
    let site = std::sync::Arc::new(Site::start().await);
    let mut tokens = Vec::new();
    for n in 0..600 {
        tokens.push(site.run("", &format!("login user-{n}")).await.token.unwrap());
    }
    site.lose().await;
    let (send, raised) = std::sync::mpsc::channel();
    let admin = SessionAdmin::new(site.store.clone());
    let runtime = tokio::runtime::Handle::current();
    let mut first = true;
    let recovery = site.recovery().on_progress(move |so_far| {
        if std::mem::take(&mut first) {
            assert!(so_far.restored > 0 && so_far.sessions < 600);
            let admin = admin.clone();
            let raise = async move { admin.revoke_everyone().await.unwrap() };
            tokio::task::block_in_place(|| send.send(runtime.block_on(raise)).unwrap());
        }
    });
    let report = recovery.run().await.unwrap();
    assert_eq!(raised.recv().unwrap(), 1);
    assert!(report.restored < 600 && report.ended > 0, "{report:?}");
    for token in &tokens {
        assert_eq!(site.run(token, "user").await.told, [json!(null)]);
    }
    let queue: AuditQueue = site.store.audit_queue();
    assert!(!queue.is_empty().await.unwrap());
}

/// Two applications, one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_namespaces_sessions_and_epochs_are_none_of_ours() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    site.drain().await;
    site.sql("UPDATE cloakroom.session_event SET namespace = 'other'").await;
    let ours = site.run("", "login bob").await.token.unwrap();
    site.drain().await;
    let raise = "INSERT INTO cloakroom.session_event (event_id, occurred_at, version, kind, schema_version, shard, stream_id, namespace)
                 SELECT gen_random_uuid(), now(), 9, 'epoch', 1, shard, '99999999999999-0', 'other' FROM generate_series(0, 3) AS shard";
    assert_eq!(site.sql(raise).await, 4);
    site.redis(&["FLUSHALL"]);
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored, report.epochs_raised), (1, 1, 0), "{report:?}");
    assert_eq!(site.run(&ours, "user").await.told, [json!("bob")]);
    assert_eq!(site.run(&token, "user").await.told, [json!(null)], "a token opens nothing elsewhere");
}
