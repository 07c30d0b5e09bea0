//! Whoever is signed in again is in the user's list again.

use cloakroom::{
    manager::SessionConfig,
    session::SessionAdmin,
    store::{CapPolicy, Revoked},
};
use serde_json::json;

use crate::{app::App, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_back_is_listed_and_can_be_revoked() {
    let site = Site::start().await;
    let admin = SessionAdmin::new(site.store.clone());
    let first = site.run("", "login alice; write n 1").await.token.unwrap();
    for _ in 0..10 {
        site.tick().await;
    }
    let phone = site.run("", "phone alice").await.token.unwrap();
    let phone = site.run(&phone, "renew").await.token.unwrap();
    let bob = site.run("", "login bob").await.token.unwrap();
    site.run("", "write cart 1").await;
    let before = admin.sessions_of("alice").await.unwrap();
    site.lose().await;
    assert!(admin.sessions_of("alice").await.unwrap().is_empty());
    let report = site.recovery().run().await.unwrap();
    assert_eq!(report.restored, 4, "{report:?}");

    let after = admin.sessions_of("alice").await.unwrap();
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(after.device, before.device);
        assert_eq!(after.authentication.method, before.authentication.method);
        // The trail's times are those of the stream, which may be a moment behind the script's.
        for (after, before) in
            [(after.created_at, before.created_at), (after.authentication.at, before.authentication.at)]
        {
            assert!(after.as_millis().abs_diff(before.as_millis()) < 10, "{after:?} {before:?}");
        }
    }
    assert_eq!((after.len(), after[0].device.as_deref()), (2, Some("phone")));
    // By its handle, which the session itself knows, too.
    let handle = after[0].handle.to_string();
    assert_eq!(admin.revoke("alice", &handle).await.unwrap(), Revoked::Revoked(1));
    assert_eq!(site.run(&phone, "user; ended").await.told, [json!(null), json!("revoked_by_admin")]);
    assert_eq!(site.run(&first, "user").await.told, [json!("alice")]);
    // A renewal takes its entry along, and a logout takes it out.
    let first = site.run(&first, "renew").await.token.unwrap();
    assert_eq!(admin.sessions_of("alice").await.unwrap().len(), 1);
    assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(1));
    assert_eq!(site.run(&first, "user").await.told, [json!(null)]);
    site.run(&bob, "logout").await;
    assert!(admin.sessions_of("bob").await.unwrap().is_empty());
    // It stays so, and the trail agrees.
    assert_eq!(site.recovery().run().await.unwrap().restored, 0);
    site.drain().await;
    assert!(site.verify().run().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_counts_what_came_back() {
    let site = Site::start().await;
    let first = site.run("", "login alice").await.token.unwrap();
    site.tick().await;
    let second = site.run("", "login alice").await.token.unwrap();
    site.lose().await;
    assert_eq!(site.recovery().run().await.unwrap().restored, 2);
    // A sign-in that has read the index before sees that it changed; and it outlives its sessions.
    let index = site.redis(&["KEYS", "*:u:*"]);
    assert_eq!(site.redis(&["HGET", &index, "rev"]), "2");
    assert!(site.redis(&["PTTL", &index]).parse::<i64>().unwrap() > 23 * 3_600_000);
    let config = SessionConfig::default().with_session_cap(2, CapPolicy::EvictOldest).unwrap();
    let capped = App::of(site.store.clone(), config);
    let third = capped.run("", "login alice").await.token.unwrap();
    assert_eq!(site.run(&first, "user; ended").await.told, [json!(null), json!("evicted")]);
    for token in [&second, &third] {
        assert_eq!(site.run(token, "user").await.told, [json!("alice")]);
    }
}

/// Visitors sign in while theirs comes back: nobody's entry is lost by the other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_meanwhile_are_neither_overwritten_nor_lost() {
    let site = std::sync::Arc::new(Site::start().await);
    let config = SessionConfig::default().with_session_cap(1000, CapPolicy::EvictOldest).unwrap();
    for _ in 0..200 {
        site.run("", "login alice").await;
    }
    site.lose().await;
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let app = App::of(site.store.clone(), config.clone());
        visitors.spawn(async move {
            for _ in 0..20 {
                assert_eq!(app.run("", "login alice").await.status, 200);
            }
        });
    }
    let report = site.recovery().run().await.unwrap();
    visitors.join_all().await;
    assert_eq!(report.restored, 200, "{report:?}");
    let admin = SessionAdmin::new(site.store.clone());
    assert_eq!(admin.sessions_of("alice").await.unwrap().len(), 280);
    assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(280));
    let sessions = site.keys().iter().filter(|key| key.contains(":s:")).count();
    assert_eq!(sessions, 0);
}

/// All of her sessions were revoked after the loss, before hers came back: it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_of_all_holds_for_what_is_not_back_yet() {
    let site = Site::start().await;
    let admin = SessionAdmin::new(site.store.clone());
    let alice = site.run("", "login alice").await.token.unwrap();
    let bob = site.run("", "login bob").await.token.unwrap();
    site.lose().await;
    assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(0));
    let again = site.run("", "login alice").await.token.unwrap();
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (1, 1), "{report:?}");
    assert_eq!(site.run(&alice, "user").await.told, [json!(null)]);
    assert_eq!(site.run(&bob, "user").await.told, [json!("bob")]);
    assert_eq!(site.run(&again, "user").await.told, [json!("alice")]);
}
