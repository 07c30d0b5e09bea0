//! What ran out stays out.

use std::time::Duration;

use cloakroom::{audit::AuditWriter, manager::SessionConfig, session::SessionSweeper};
use serde_json::json;

use crate::{
    app::App,
    site::{Site, store, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ran_out_is_told_once_and_does_not_come_back() {
    let site = Site::start().await;
    let brief = SessionConfig::default().with_idle_timeout(Duration::from_secs(1)).unwrap();
    let brief = App::of(site.store.clone(), brief);
    let alice = brief.run("", "login alice; write n 1").await.token.unwrap();
    // Twice, so that the last row's version is not its only one.
    brief.run(&alice, "write n 2").await;
    let bob = site.run("", "login bob").await.token.unwrap();
    let sweeper = SessionSweeper::new(site.store.clone());
    let mut found = 0;
    until("it ran out", async || {
        found += sweeper.sweep_once().await.unwrap();
        found > 0
    })
    .await;
    assert_eq!(found, 1);
    site.drain().await;
    let told = "SELECT FROM cloakroom.session_event
                WHERE kind = 'ended' AND reason = 'idle' AND user_id = 'alice' AND version IS NULL";
    assert_eq!(site.sql(told).await, 1);
    assert!(site.verify().run().await.unwrap().is_sound(), "the two agree");

    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored, report.ended), (2, 1, 1), "{report:?}");
    assert!(report.problems.is_empty(), "{report:?}");
    assert_eq!(brief.run(&alice, "user; ended").await.told, [json!(null), json!("idle")]);
    assert_eq!(site.run(&bob, "user").await.told, [json!("bob")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_came_back_runs_out_and_is_told() {
    let site = Site::start().await;
    let alice = site.run("", "login alice").await.token.unwrap();
    site.lose().await;
    let report = site.recovery().idle_timeout(Duration::from_secs(1)).run().await.unwrap();
    assert_eq!(report.restored, 1);
    let sweeper = SessionSweeper::new(site.store.clone());
    until("it ran out", async || sweeper.sweep_once().await.unwrap() == 1).await;
    assert_eq!(site.run(&alice, "user; ended").await.told, [json!(null), json!("idle")]);
}

const TOLD: &str =
    "SELECT FROM cloakroom.session_event WHERE kind = 'ended' AND reason IN ('idle', 'absolute')";

/// Three instances, of which nobody is the one that sweeps, and a writer at work. Sessions that ran out while none
/// of them was up are among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_instance_sweeps_and_each_end_is_one_row() {
    let site = Site::start().await;
    let second = Duration::from_secs(1);
    let idle = SessionConfig::default().with_idle_timeout(second).unwrap();
    let absolute = idle.clone().with_absolute_timeout(second).unwrap();
    let (idle, absolute) = (App::of(site.store.clone(), idle), App::of(site.store.clone(), absolute));
    for n in 0..8 {
        idle.run("", &format!("login idle-{n}")).await;
        absolute.run("", &format!("login absolute-{n}")).await;
    }
    let stays = site.run("", "login stays").await.token.unwrap();
    until("they ran out", async || site.keys().iter().filter(|key| key.contains(":s:")).count() == 1).await;

    let url = site.redis.lock().unwrap().url();
    let sweeping: Vec<_> = (0..3)
        .map(|_| SessionSweeper::new(store(&url)).every(Duration::from_millis(100)))
        .map(|sweeper| tokio::spawn(sweeper.run()))
        .collect();
    let writer = AuditWriter::new(site.store.audit_queue(), site.pool.clone());
    let stop = writer.stop_handle();
    let writing = tokio::spawn(writer.run());
    until("all are told", async || site.sql(TOLD).await == 16).await;
    stop.stop();
    assert!(writing.await.unwrap().flushed);
    let once =
        "SELECT ref FROM cloakroom.session_event WHERE kind = 'ended' GROUP BY ref HAVING count(*) = 1";
    assert_eq!(site.sql(once).await, 16);
    for (reason, user) in [("idle", "idle-%"), ("absolute", "absolute-%")] {
        let sql = format!("{TOLD} AND reason = '{reason}' AND user_id LIKE '{user}'");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
        assert_eq!(rows.rows_affected(), 8, "{reason}");
    }

    // Redis forgets everything: then nobody knows of an end, and none is made up.
    site.lose().await;
    let control = idle.run("", "login control").await.token.unwrap();
    // A request would keep it alive.
    let remembered = || site.keys().iter().any(|key| key.contains(":x:"));
    until("the control is told", async || remembered()).await;
    assert_eq!(idle.run(&control, "ended").await.told, [json!("idle")]);
    site.drain().await;
    assert_eq!(site.sql(TOLD).await, 17);
    assert_eq!(
        site.run(&stays, "user; ended").await.told,
        [json!(null), json!(null)],
        "lost, which is no end"
    );
    for sweeper in sweeping {
        sweeper.abort();
    }
}
