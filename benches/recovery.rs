//! How many sessions a second come back from PostgreSQL into an empty Redis, both on this machine:
//! `cargo bench --bench recovery`. With settings behind `--`: sessions (50000), rows of each (5).
//!
//! Measure: from the start of the recovery until its report. Every session has a user and three values, and
//! gets an entry in its trail. Noise: on a shared machine a third up or down.
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
    audit::{self, AuditPool, Recovery},
    store::RedisStore,
};

const TRAIL: &str = "
INSERT INTO cloakroom.session_event (event_id, occurred_at, ref, version, prev_event_id, kind, user_id,
    lifetime_ms, idle_class, schema_version, delta, shard, stream_id, namespace)
SELECT md5(s || '-' || v)::uuid, now(), sha256(s::text::bytea), v,
    CASE WHEN v > 1 THEN md5(s || '-' || (v - 1))::uuid END,
    CASE v WHEN 1 THEN 'signed_in' ELSE 'changed' END, 'user-' || s,
    CASE v WHEN 1 THEN 86400000 END, CASE v WHEN 1 THEN 0 END, 1,
    jsonb_build_object('set', jsonb_build_object('seen', v, 'cart', '[\"tea\", \"cup\"]'::jsonb, 'plan', 'gold')),
    s % 64, '0-0', 'bench'
FROM generate_series(1, $1) AS s, generate_series(1, $2) AS v";

#[tokio::main]
async fn main() {
    // cargo adds `--bench` to what was asked for.
    let given: Vec<i32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let arg = |n: usize, default| given.get(n).copied().unwrap_or(default);
    let (sessions, rows) = (arg(0, 50_000), arg(1, 5));
    let (redis, postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let pool = AuditPool::new(postgres.url()).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await.unwrap();
    sqlx::query(TRAIL).bind(sessions).bind(rows).execute(&mut *connection).await.unwrap();
    sqlx::query("ANALYZE cloakroom.session_event").execute(&mut *connection).await.unwrap();
    drop(connection);

    let store = RedisStore::builder(redis.url()).namespace("bench").audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    for what in ["dry run", "recovery", "again"] {
        let recovery = Recovery::new(&store, pool.clone());
        let recovery = if what == "dry run" { recovery.dry_run() } else { recovery };
        let began = Instant::now();
        let report = recovery.run().await.unwrap();
        let took = began.elapsed();
        assert_eq!(report.restored + report.present, sessions as u64);
        let rate = f64::from(sessions) / took.as_secs_f64();
        println!("{what}: {rate:.0} sessions/s, {sessions} of {rows} rows, {took:.2?}");
    }
}
