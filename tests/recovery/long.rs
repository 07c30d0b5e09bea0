//! Sessions with many changes.

use std::time::Duration;

use cloakroom::audit::{AuditPool, Recovery};
use sqlx::PgPool;

use crate::site::{Site, database, until};

const SESSIONS: u64 = 60;

/// So many changes are added to each session by hand.
const CHANGES: u64 = 400;

/// The rows that PostgreSQL read from the trail, so far.
async fn rows_read(pool: &PgPool) -> u64 {
    // A connection tells what it read when it ends, at the latest.
    let alone = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()
                 AND backend_type = 'client backend'";
    until("the others have ended", async || sqlx::query_scalar(alone).fetch_one(pool).await.unwrap()).await;
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int8 FROM pg_stat_user_tables
               WHERE relname LIKE 'session\\_event%'";
    sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap().unsigned_abs()
}

/// With a statement for every few thousand rows, PostgreSQL looked at all that were left for each: ten times as many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_read_about_once() {
    let postgres = database();
    let site = Site::with(&postgres, Duration::from_secs(24 * 3600)).await;
    for _ in 0..SESSIONS {
        site.run("", "write n 1; write n 2").await;
    }
    site.lose().await;
    // As if each had gone on: version after version, each after the one before. PostgreSQL has no statistics of them.
    let sql = "INSERT INTO cloakroom.session_event
            (event_id, occurred_at, ref, version, prev_event_id, kind, schema_version, delta, shard, stream_id, namespace)
        SELECT md5(ref::text || version + n)::uuid, occurred_at + n * interval '1 ms', ref, version + n,
            CASE n WHEN 1 THEN event_id ELSE md5(ref::text || version + n - 1)::uuid END, 'changed', schema_version,
            jsonb_build_object('set', jsonb_build_object('n', n)), shard,
            split_part(stream_id, '-', 1)::int8 + n || '-0', namespace
        FROM cloakroom.session_event AS last, generate_series(1, 400) AS n
        WHERE NOT EXISTS (SELECT FROM cloakroom.session_event WHERE ref = last.ref AND version > last.version)";
    assert_eq!(site.sql(sql).await, SESSIONS * CHANGES);

    let watching = AuditPool::new(postgres.as_str()).connections(1).open().unwrap();
    site.pool.close().await;
    let before = rows_read(&watching).await;
    let reading = AuditPool::new(postgres.as_str()).connections(4).open().unwrap();
    let recovery = Recovery::new(&site.store, reading.clone()).dry_run();
    let report = recovery.run().await.unwrap();
    assert_eq!(report.restored, SESSIONS, "{report:?}");
    let rows = report.rows;
    reading.close().await;
    let read = rows_read(&watching).await - before;
    assert!((rows..2 * rows).contains(&read), "{read} for {rows}");
}
