//! Changes that were left out of the trail while too much waited, and those that somebody takes out besides.

use cloakroom::{
    audit::{AuditWriter, verify::Discrepancy},
    store::RedisStore,
};
use std::time::Duration;

use crate::{
    app::App,
    site::{PEPPER, SHARDS, Site, key, until},
};

/// The same application, to whose changes the queue gives no room.
fn tight(site: &Site) -> App {
    let url = site.redis.lock().unwrap().url();
    let store = RedisStore::builder(url).namespace("shop").shards(SHARDS).pepper(PEPPER).audit(true);
    let store = store.audit_budget(u64::from(SHARDS)).timeout(Duration::from_secs(10)).build().unwrap();
    App::new(store, Duration::from_secs(24 * 3600))
}

async fn drain(site: &Site) {
    let queue = site.store.audit_queue();
    let writer = AuditWriter::new(queue.clone(), site.pool.clone()).seal(Some(key()));
    let stop = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("all is told", async || queue.status().await.unwrap().shed() == 0).await;
    until("all is stored", async || queue.is_empty().await.unwrap()).await;
    stop.stop();
    running.await.unwrap();
}

/// Changes that are left out: behind a hundred that wait, since fewer are not even measured.
async fn leave_out(site: &Site, token: &str) {
    for n in 0..128 {
        site.run(token, &format!("write n {n}")).await;
    }
    let tight = tight(site);
    for n in 0..3 {
        assert_eq!(tight.run(token, &format!("write n {n}")).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_told_gap_is_no_loss_and_excuses_no_other() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    site.drain().await;
    leave_out(&site, &token).await;
    let expected = Discrepancy::ToldGap(vec![(130, 132)]);
    // Only counted; then stored. Redis is further than the trail all the time.
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.told_gaps.len(), &report.told_gaps[0].kind), (1, &expected));
    drain(&site).await;
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.told_gaps.len(), &report.told_gaps[0].kind), (1, &expected));
    // And when it is told again what happens, a gap between two versions.
    site.run(&token, "write n 9").await;
    site.drain().await;
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.told_gaps.len(), &report.told_gaps[0].kind), (1, &expected));
    assert!(report.told_gaps[0].to_string().contains("130–132"));
    // What is missing is missing for a recovery, told or not.
    let report = site.recovery().dry_run().run().await.unwrap();
    assert_eq!((report.restored, report.left_out), (0, 1), "{report:?}");

    // Three were told. One more is missing now: which of them can't be said, only that it was not told.
    site.sql("DELETE FROM cloakroom.session_event WHERE user_id = 'alice' AND version = 129").await;
    let report = site.verify().run().await.unwrap();
    let kinds: Vec<_> = report.problems.iter().map(|problem| &problem.kind).collect();
    assert_eq!(kinds, [&Discrepancy::Gapped(vec![(129, 132)])], "{report:?}");
}

/// A row that is missing at another time than the gap's is a loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_of_another_time_excuses_nothing() {
    let site = Site::start().await;
    let alice = site.run("", "login alice; write n 1").await.token.unwrap();
    site.run(&alice, "write n 2").await;
    site.run(&alice, "write n 3").await;
    site.drain().await;
    site.tick().await;
    let other = site.run("", "login alice").await.token.unwrap();
    leave_out(&site, &other).await;
    site.run(&other, "logout").await;
    drain(&site).await;
    // So that the gap is there to excuse something, and nothing else needs it.
    let whole = "DELETE FROM cloakroom.session_event WHERE ref =
                 (SELECT ref FROM cloakroom.session_event WHERE ref IS NOT NULL ORDER BY occurred_at DESC LIMIT 1)";
    assert_eq!(site.sql(whole).await, 130);
    let second = "DELETE FROM cloakroom.session_event WHERE version = 2 AND ref =
                  (SELECT ref FROM cloakroom.session_event WHERE version = 1 ORDER BY occurred_at LIMIT 1)";
    assert_eq!(site.sql(second).await, 1);
    let report = site.verify().run().await.unwrap();
    let kinds: Vec<_> = report.problems.iter().map(|problem| &problem.kind).collect();
    assert_eq!(kinds, [&Discrepancy::Gapped(vec![(2, 2)])], "{report:?}");
    assert!(report.told_gaps.is_empty(), "{report:?}");
}

/// Three changes were told, and four are missing in that time, in two sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_excuses_as_many_as_were_told_and_no_more() {
    let site = Site::start().await;
    let other = site.run("", "login alice").await.token.unwrap();
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    leave_out(&site, &token).await;
    drain(&site).await;
    site.run(&other, "write mine 2").await;
    site.run(&other, "write n 3").await;
    site.drain().await;
    assert!(site.verify().run().await.unwrap().is_sound());
    let row = "DELETE FROM cloakroom.session_event WHERE delta->'set' ? 'mine'";
    assert_eq!(site.sql(row).await, 1);
    let report = site.verify().run().await.unwrap();
    // Whose three were told can't be said.
    assert_eq!((report.problems.len(), report.told_gaps.len()), (1, 1), "{report:?}");
}
