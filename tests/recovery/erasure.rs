//! A user's values are erased while snapshots are made.

use std::time::Duration;

use cloakroom::{
    audit::{SnapshotReport, Snapshots, seal::erase},
    error::Error,
};
use sqlx::{PgPool, postgres::PgPoolOptions, raw_sql};
use tokio::task::JoinHandle;

use crate::site::{Site, until};

/// A pool of one connection, under a name of its own, whose statements wait for as long as the test holds them.
fn patient(site: &Site, name: &'static str) -> PgPool {
    let options = sqlx::postgres::PgConnectOptions::clone(&site.pool.connect_options());
    let options = options.application_name(name).options([("statement_timeout", "60s")]);
    PgPoolOptions::new().max_connections(1).connect_lazy_with(options)
}

fn maker(site: &Site) -> JoinHandle<Result<SnapshotReport, Error>> {
    let snapshots = Snapshots::new(patient(site, "maker"), "shop").every(3).settle(Duration::ZERO);
    tokio::spawn(snapshots.run())
}

/// Until this one waits for somebody else in PostgreSQL, or has ended.
async fn waits<T>(site: &Site, name: &'static str, task: &JoinHandle<T>) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE application_name = $1 AND datname = current_database() AND wait_event_type = 'Lock'";
    let mut waiting = 0_i64;
    until(name, async || {
        waiting = sqlx::query_scalar(sql).bind(name).fetch_one(&site.pool).await.unwrap();
        waiting > 0 || task.is_finished()
    })
    .await;
    waiting > 0
}

/// Alice's session, and Bob's. What makes PostgreSQL stop at an advisory lock, that the test holds.
async fn site(stop_before: &str) -> Site {
    let site = Site::start().await;
    for user in ["alice", "bob"] {
        let token = site.run("", &format!("login {user}; write n 1")).await.token.unwrap();
        for _ in 0..5 {
            site.run(&token, "inc n").await;
        }
    }
    site.drain().await;
    let sql = format!(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END';
         CREATE TRIGGER stop {stop_before} FOR EACH STATEMENT EXECUTE FUNCTION stop()"
    );
    raw_sql(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
    site
}

async fn nothing_is_left_of_alice(site: &Site) {
    let left: Vec<Option<String>> = sqlx::query_scalar("SELECT user_id FROM cloakroom.session_snapshot")
        .fetch_all(&site.pool)
        .await
        .unwrap();
    assert_eq!(left, [Some("bob".to_owned())]);
    site.redis(&["FLUSHALL"]);
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored, report.left_out), (2, 1, 1), "{report:?}");
}

/// The maker has read the rows, and is about to store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_snapshots_that_are_being_stored() {
    let site = site("BEFORE INSERT ON cloakroom.session_snapshot").await;
    let mut held = site.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
    let making = maker(&site);
    assert!(waits(&site, "maker", &making).await);
    let eraser = patient(&site, "eraser");
    let erasing = tokio::spawn(async move { erase(&eraser, "shop", "alice").await });
    waits(&site, "eraser", &erasing).await;
    held.rollback().await.unwrap();
    assert_eq!(making.await.unwrap().unwrap().made, 2);
    assert_eq!(erasing.await.unwrap().unwrap().rows, 6);
    nothing_is_left_of_alice(&site).await;
}

/// The maker reads what the erasure has not committed yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_wait_for_an_erasure_and_are_made_of_what_is_left() {
    let site = site("BEFORE UPDATE ON cloakroom.session_event").await;
    // The row that they wait at is there already, or not yet.
    for first in [true, false] {
        sqlx::query("DELETE FROM cloakroom.session_snapshot").execute(&site.pool).await.unwrap();
        let mut held = site.pool.begin().await.unwrap();
        sqlx::query("SELECT pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
        let eraser = patient(&site, "eraser");
        let user = if first { "nobody" } else { "alice" };
        let erasing = tokio::spawn(async move { erase(&eraser, "shop", user).await });
        assert!(waits(&site, "eraser", &erasing).await);
        let making = maker(&site);
        waits(&site, "maker", &making).await;
        held.rollback().await.unwrap();
        assert_eq!(erasing.await.unwrap().unwrap().rows, if first { 0 } else { 6 });
        let made = making.await.unwrap().unwrap();
        // A page that was read too early counts once, though it was read twice.
        assert_eq!((made.sessions, made.made), (2, if first { 2 } else { 1 }), "{made:?}");
    }
    nothing_is_left_of_alice(&site).await;
}

/// An erasure that is given up has erased nothing, and stands in nobody's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_failed_leaves_everything() {
    let site = site("BEFORE UPDATE ON cloakroom.session_event").await;
    let sql = "CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN RAISE lock_not_available; END'";
    raw_sql(sql).execute(&site.pool).await.unwrap();
    assert!(erase(&site.pool, "shop", "alice").await.is_err());
    assert_eq!(site.snapshots(3).await, 2);
}

/// Each namespace has its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_elsewhere_is_not_waited_for() {
    let site = site("BEFORE UPDATE ON cloakroom.session_event").await;
    let mut held = site.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
    let eraser = patient(&site, "eraser");
    let erasing = tokio::spawn(async move { erase(&eraser, "elsewhere", "alice").await });
    assert!(waits(&site, "eraser", &erasing).await);
    assert_eq!(site.snapshots(3).await, 2);
    held.rollback().await.unwrap();
    assert_eq!(erasing.await.unwrap().unwrap().rows, 0);
}
