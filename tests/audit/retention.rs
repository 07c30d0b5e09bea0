//! What is past keeping goes, and nothing else.

use cloakroom::{audit, error::ErrorKind};

use crate::site::{count, shared};

#[tokio::test]
async fn only_whole_months_that_are_past_keeping_are_dropped() {
    let site = shared(1).await;
    sqlx::raw_sql(
        "SELECT cloakroom.ensure_partitions(date_trunc('month', now()) - interval '14 months', 14);
         CREATE TABLE cloakroom.long_ago PARTITION OF cloakroom.session_event
             FOR VALUES FROM (MINVALUE) TO ('2001-01-01 00:00+00');
         CREATE TABLE cloakroom.for_ever PARTITION OF cloakroom.session_event
             FOR VALUES FROM ('9000-01-01 00:00+00') TO (MAXVALUE);
         INSERT INTO cloakroom.session_event (event_id, occurred_at, kind, schema_version, shard, stream_id)
             SELECT gen_random_uuid(), at, 'changed', 1, 0, '1-0'
             FROM generate_series(date_trunc('month', now()) - interval '14 months', now(), interval '1 month') AS at;
         INSERT INTO cloakroom.session_event_dead
             (event_id, occurred_at, namespace, shard, stream_id, attempts, error, payload, recorded_at)
             SELECT gen_random_uuid(), at, 'n', 0, '1-0', 5, '', '', at
             FROM (VALUES (now()), (now() - interval '2 years')) AS letters (at)",
    )
    .execute(&site.pool)
    .await
    .unwrap();
    let rows = site.rows().await;
    let dropped = audit::retain(&site.pool, 12).await.unwrap();
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert!(dropped[0] < dropped[1] && dropped[0].starts_with("cloakroom.session_event_"), "{dropped:?}");
    assert_eq!(site.rows().await, rows - 2);
    let oldest = "SELECT (min(occurred_at) = date_trunc('month', now()) - interval '12 months')::int::int8
                  FROM cloakroom.session_event";
    assert_eq!(count(&site.pool, oldest).await, 1, "twelve months before this one are kept, whole");
    assert_eq!(count(&site.pool, "SELECT count(*) FROM cloakroom.session_event_dead").await, 1);
    assert_eq!(audit::retain(&site.pool, 12).await.unwrap(), Vec::<String>::new());
    // One that an operator made goes when it belongs to the trail's owner.
    sqlx::query("ALTER TABLE cloakroom.long_ago OWNER TO cloakroom_owner").execute(&site.pool).await.unwrap();
    assert_eq!(audit::retain(&site.pool, 12).await.unwrap(), ["cloakroom.long_ago"]);
    assert_eq!(audit::retain(&site.pool, 0).await.unwrap_err().kind(), ErrorKind::Config);
}
