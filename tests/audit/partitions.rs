//! Months without a partition, and rights that are missing.

use std::time::Duration;

use crate::{
    site::{Site, count, shared, until, writer},
    traffic::{ByHand, Traffic, add},
};

/// Entries of February and March 2020 and of the far future, for which there is no partition.
async fn add_out_of_time(site: &Site) {
    let traffic = Traffic::start(&site.store, 1, 1, Duration::from_secs(3600));
    until("the stream is there", async || traffic.acked() == 1).await;
    drop(traffic);
    let stream = site.keys("audit").await.remove(0);
    let mut redis = site.redis.clone();
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    // Two in the last second of February, one in the first of March, one past the calendar.
    for id in ["1583020799998-0", "1583020799999-0", "1583020800000-0", "9999999999999999999-7"] {
        add(&mut redis, &stream, id, &[ByHand::new("alice")]).await;
    }
}

async fn partitions(site: &Site) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT tableoid::regclass::text, count(*) FROM cloakroom.session_event GROUP BY 1 ORDER BY min(occurred_at)",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap()
}

fn healed() -> Vec<(String, i64)> {
    [("2020_02", 2), ("2020_03", 1), ("9999_12", 1)]
        .map(|(month, rows)| (format!("cloakroom.session_event_{month}"), rows))
        .into()
}

#[tokio::test]
async fn a_missing_partition_is_made() {
    let site = shared(1).await;
    add_out_of_time(&site).await;
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(partitions(&site).await, healed());
}

/// A role that may insert and nothing else, not even read: the function makes partitions in its owner's
/// name. As long as it may not call that, the entries wait, and none is a dead letter.
#[tokio::test]
async fn a_role_that_may_only_insert_heals_too_once_it_may_call_the_function() {
    let site = shared(1).await;
    let role = site.namespace.replace('-', "_");
    let as_owner = async |sql: &str| {
        let sql = sql.replace("$role", &role);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
    };
    as_owner("CREATE ROLE $role LOGIN; GRANT USAGE ON SCHEMA cloakroom TO $role").await;
    as_owner("GRANT INSERT ON cloakroom.session_event TO $role").await;
    add_out_of_time(&site).await;

    let url = site.postgres_url.replace("postgres@", &format!("{role}@"));
    let writer = writer(site.queue(), &url);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    // It has tried: it holds the lease, and gives it back when it finds that it can't.
    until("it has a lease", async || !site.keys("lease").await.is_empty()).await;
    until("it has given up for now", async || site.keys("lease").await.is_empty()).await;
    assert_eq!(site.queue().len().await.unwrap(), 4);
    assert_eq!(site.queue().dead_letters().await.unwrap(), 0);

    as_owner("GRANT EXECUTE ON FUNCTION cloakroom.ensure_partitions TO $role").await;
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(partitions(&site).await, healed());
}

#[tokio::test]
async fn partitions_of_an_operators_own_are_left_alone() {
    let site = shared(1).await;
    sqlx::raw_sql(
        "CREATE TABLE cloakroom.year_2020 PARTITION OF cloakroom.session_event
             FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00')",
    )
    .execute(&site.pool)
    .await
    .unwrap();
    let made = "SELECT cloakroom.ensure_partitions('2019-12-15', 14)::int8";
    assert_eq!(count(&site.pool, made).await, 2, "December 2019 and January 2021");
    assert_eq!(count(&site.pool, made).await, 0);
    for months in ["0", "121", "NULL"] {
        let sql = format!("SELECT cloakroom.ensure_partitions(now(), {months})");
        assert!(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.is_err());
    }
}
