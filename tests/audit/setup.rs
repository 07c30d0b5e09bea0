//! Making the table.

use std::time::Duration;

use cloakroom::{audit, error::ErrorKind};
use sqlx::postgres::PgPoolOptions;

use crate::{
    checker::{Findings, check},
    site::{Site, count, shared, until},
    traffic::Traffic,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_may_migrate_at_once_beside_the_applications_own_migrations() {
    let site = shared(1).await;
    sqlx::raw_sql(
        "DROP SCHEMA cloakroom CASCADE;
         CREATE TABLE _sqlx_migrations (version int8 PRIMARY KEY, whose text);
         INSERT INTO _sqlx_migrations VALUES (1, 'the application''s')",
    )
    .execute(&site.pool)
    .await
    .unwrap();
    let mut instances = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let url = site.postgres_url.clone();
        instances.spawn(async move {
            let pool = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
            audit::migrate(&pool).await.unwrap();
            audit::migrate(&pool).await.unwrap();
            pool.close().await;
        });
    }
    while let Some(done) = instances.join_next().await {
        done.unwrap();
    }
    let tables = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'cloakroom.session_event'::regclass";
    assert_eq!(count(&site.pool, tables).await, 4, "this month and the next three");
    let shipped = std::fs::read_dir("src/audit/postgres/migrations").unwrap().count() as i64;
    assert_eq!(count(&site.pool, "SELECT count(*) FROM cloakroom.migrations WHERE success").await, shipped);
    assert_eq!(count(&site.pool, "SELECT count(*) FROM _sqlx_migrations").await, 1);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("no lock is left behind", async || count(&site.pool, locks).await == 0).await;
}

#[tokio::test]
async fn a_schema_of_another_release_and_a_missing_right_are_told() {
    let site = shared(1).await;
    sqlx::raw_sql("UPDATE cloakroom.migrations SET checksum = ''").execute(&site.pool).await.unwrap();
    assert_eq!(audit::migrate(&site.pool).await.unwrap_err().kind(), ErrorKind::Mismatch);

    let role = site.namespace.replace('-', "_");
    let sql = format!("CREATE ROLE {role} LOGIN");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
    let url = site.postgres_url.replace("postgres@", &format!("{role}@"));
    let pool = PgPoolOptions::new().connect(&url).await.unwrap();
    let error = audit::migrate(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("42501"), "{error}");
}

/// The application starts before its database is ready for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_waits_for_its_table() {
    let site = shared(2).await;
    sqlx::raw_sql("DROP SCHEMA cloakroom CASCADE").execute(&site.pool).await.unwrap();
    let traffic = Traffic::start(&site.store, 2, 4, Duration::from_millis(1));
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it has a lease", async || !site.keys("lease").await.is_empty()).await;
    until("it has given up for now", async || site.keys("lease").await.is_empty()).await;
    assert_eq!(site.queue().dead_letters().await.unwrap(), 0);

    audit::migrate(&site.pool).await.unwrap();
    until("it goes on by itself", async || site.rows().await > 0).await;
    let acked = traffic.stop().await;
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}

#[tokio::test]
async fn without_postgres_migrate_says_so() {
    let (redis, mut postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 1).await;
    postgres.kill().unwrap();
    assert_eq!(audit::migrate(&site.pool).await.unwrap_err().kind(), ErrorKind::Unavailable);
}
