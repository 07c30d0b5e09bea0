//! How many sessions a second come back from PostgreSQL into an empty Redis, both on this machine:
//! `cargo bench --bench recovery`. With settings behind `--`: sessions (50000), rows of each (5), long sessions (200),
//! rows of each of these (1000).
//!
//! Measure: from the start of the recovery until its report. Every session has a user and three values, and
//! gets an entry in its trail. Noise: on a shared machine a third up or down.
//!
//! Of a long session all rows but the last twenty are in a snapshot. Nothing of these is put back, so that the rate is
//! that of reading; rows that are read have no noise, and the ratio within one run has less.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

use std::time::{Duration, Instant};

use cloakroom::{
    audit::{self, AuditPool, Recovery, Snapshots},
    store::RedisStore,
};
use report::{Results, is_smoke};
use serde_json::json;
use sqlx::PgPool;

const TRAIL: &str = "
INSERT INTO cloakroom.session_event (event_id, occurred_at, ref, version, prev_event_id, kind, user_id,
    lifetime_ms, idle_class, schema_version, delta, shard, stream_id, namespace)
SELECT md5($1 || s || '-' || v)::uuid, now(), sha256(($1 || s)::bytea), v,
    CASE WHEN v > 1 THEN md5($1 || s || '-' || (v - 1))::uuid END,
    CASE v WHEN 1 THEN 'signed_in' ELSE 'changed' END, 'user-' || s,
    CASE v WHEN 1 THEN 86400000 END, CASE v WHEN 1 THEN 0 END, 1,
    jsonb_build_object('set', jsonb_build_object('seen', v, 'cart', '[\"tea\", \"cup\"]'::jsonb, 'plan', 'gold')),
    s % 64, '0-0', $1
FROM generate_series($3, $4) AS v, generate_series(1, $2) AS s";

/// What came after a snapshot.
const SINCE: i32 = 20;

#[tokio::main]
async fn main() {
    // cargo adds `--bench` to what was asked for, and `cargo test` does not: then a second or two are enough.
    let defaults = if is_smoke() { [500, 5, 20, 100] } else { [50_000, 5, 200, 1000] };
    let given: Vec<i32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let arg = |n: usize| given.get(n).copied().unwrap_or(defaults[n]);
    let (redis, postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let mut results = Results::start("recovery", is_smoke()).unwrap();
    let trail = database(postgres.url()).await;
    short(&redis, &trail, &mut results, arg(0), arg(1)).await;
    let trail = database(postgres.create_database("long").unwrap()).await;
    long(&redis, &trail, &mut results, arg(2), arg(3).max(SINCE + 1)).await;
}

async fn database(url: String) -> PgPool {
    let pool = AuditPool::new(url).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    pool
}

fn store(redis: &servers::Redis, namespace: &str) -> RedisStore {
    let store = RedisStore::builder(redis.url()).namespace(namespace).audit(true);
    store.timeout(Duration::from_secs(10)).build().unwrap()
}

/// Rows of so many sessions, interleaved as they would be.
async fn write(pool: &PgPool, namespace: &str, sessions: i32, from: i32, to: i32) {
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await.unwrap();
    let trail = sqlx::query(TRAIL).bind(namespace).bind(sessions).bind(from).bind(to);
    trail.execute(&mut *connection).await.unwrap();
    // As autovacuum leaves it.
    sqlx::query("VACUUM ANALYZE cloakroom.session_event").execute(&mut *connection).await.unwrap();
    sqlx::query("RESET statement_timeout").execute(&mut *connection).await.unwrap();
}

async fn short(redis: &servers::Redis, pool: &PgPool, results: &mut Results, sessions: i32, rows: i32) {
    write(pool, "bench", sessions, 1, rows).await;
    let store = store(redis, "bench");
    for what in ["dry run", "recovery", "again"] {
        let recovery = Recovery::new(&store, pool.clone());
        let recovery = if what == "dry run" { recovery.dry_run() } else { recovery };
        let began = Instant::now();
        let report = recovery.run().await.unwrap();
        let took = began.elapsed();
        assert_eq!(report.restored + report.present, sessions as u64);
        let rate = f64::from(sessions) / took.as_secs_f64();
        println!("{what}: {rate:.0} sessions/s, {sessions} of {rows} rows, {took:.2?}");
        let numbers = json!({ "how": what, "sessions": sessions, "rows": rows, "per_second": rate });
        results.add("recovered", numbers).unwrap();
    }
}

async fn long(redis: &servers::Redis, pool: &PgPool, results: &mut Results, sessions: i32, rows: i32) {
    write(pool, "long", sessions, 1, rows - SINCE).await;
    let snapshots = Snapshots::new(pool.clone(), "long").every(1).settle(Duration::ZERO);
    let began = Instant::now();
    let made = snapshots.run().await.unwrap();
    assert_eq!(made.made, sessions as u64);
    println!("snapshots: {} of {} rows, {:.2?}", made.made, rows - SINCE, began.elapsed());
    write(pool, "long", sessions, rows - SINCE + 1, rows).await;
    let store = store(redis, "long");
    let mut took = Vec::new();
    for with in [false, true] {
        let recovery = Recovery::new(&store, pool.clone()).dry_run();
        let recovery = if with { recovery } else { recovery.without_snapshots() };
        let began = Instant::now();
        let report = recovery.run().await.unwrap();
        took.push(began.elapsed());
        assert_eq!(report.restored, sessions as u64);
        assert_eq!(report.rows, (sessions * if with { SINCE } else { rows }) as u64);
        let rate = f64::from(sessions) / took[usize::from(with)].as_secs_f64();
        let how = if with { "since their snapshots" } else { "from all rows" };
        println!("{how}: {rate:.0} sessions/s, {} rows read, {:.2?}", report.rows, took[usize::from(with)]);
        let numbers =
            json!({ "how": how, "sessions": sessions, "rows_read": report.rows, "per_second": rate });
        results.add("long", numbers).unwrap();
    }
    let ratio = took[0].as_secs_f64() / took[1].as_secs_f64();
    println!("ratio: {ratio:.1} times as fast, with a {}th of the rows", rows / SINCE);
}
