//! Faults that last a while and leave nothing behind.

use std::time::Duration;

use cloakroom::audit;
use sqlx::Executor as _;

use crate::{
    checker::{Findings, check},
    poison::{acked, one_shard},
    sessions::{Visit, set},
    site::{Site, count, shared, until},
    traffic::{ByHand, Traffic, add},
};

async fn filled(site: &Site, entries: u64) -> Vec<crate::traffic::Acked> {
    let traffic = Traffic::start(&site.store, site.shards, 8, Duration::ZERO);
    until("enough entries wait", async || traffic.acked() >= entries).await;
    traffic.stop().await
}

/// Runs a writer against a PostgreSQL that is not as it should be, until it leaves it alone; mends it, and
/// checks that nothing is lost, doubled or dead.
async fn survives(site: &Site, acked: &[crate::traffic::Acked], mend: impl AsyncFnOnce()) {
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it has a lease", async || !site.keys("lease").await.is_empty()).await;
    until("it has given up for now", async || site.keys("lease").await.is_empty()).await;
    assert_eq!(site.queue().len().await.unwrap(), acked.len() as u64);
    assert_eq!((site.queue().dead_letters().await.unwrap(), site.keys("tries").await.len()), (0, 0));
    mend().await;
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(check(&site.pool, acked).await, Findings::NONE);
}

/// As after a failover to a standby that was not promoted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_postgres_costs_no_attempt() {
    let site = shared(2).await;
    let acked = filled(&site, 300).await;
    let name = site.postgres_url.rsplit_once('/').unwrap().1.to_owned();
    let alter = async |setting: &str| {
        let sql = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {setting}");
        let mut connection = site.pool.acquire().await.unwrap();
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE").await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    alter("on").await;
    survives(&site, &acked, async || {
        alter("off").await;
        // The writer's connections are as they were when they were made.
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        count(&site.pool, others).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_costs_no_attempt() {
    let site = shared(2).await;
    let acked = filled(&site, 300).await;
    let mut transaction = site.pool.begin().await.unwrap();
    transaction.execute("LOCK TABLE cloakroom.session_event IN ACCESS EXCLUSIVE MODE").await.unwrap();
    survives(&site, &acked, async || transaction.rollback().await.unwrap()).await;
}

/// Connections that are cut in the middle of a statement or a commit: what became of it is not known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_and_double_nothing() {
    let site = shared(8).await;
    // As long as it takes: a fast machine would be done before anybody has cut.
    let traffic = Traffic::start(&site.store, site.shards, 8, Duration::ZERO);
    let writer = site.writer().batch(20);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    let mut cuts = 0;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE '%INSERT INTO cloakroom%' AND state = 'active'
                 AND pid <> pg_backend_pid()";
    until("it was cut off often", async || {
        cuts += count(&site.pool, cut).await;
        cuts >= 12
    })
    .await;
    let acked = traffic.stop().await;
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}

/// A Redis that is full refuses sessions, and the writer is who makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_is_drained() {
    let (redis, postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 8).await;
    audit::migrate(&site.pool).await.unwrap();
    sqlx::query(crate::poison::ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    let acked = filled(&site, 2000).await;
    let stream = site.keys("audit").await.remove(0);
    add(&mut site.redis.clone(), &stream, "*", &[ByHand::new("robot")]).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    assert!(redis.command(&["SET", "a", "b"]).unwrap_err().to_string().contains("OOM"));
    // A writer that starts only now, with leases that end while it works.
    let writer = site.writer().batch(50).retry(Duration::from_millis(1));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 1);
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
    assert_eq!(site.queue().dead_letters().await.unwrap(), 1);
}

/// What stands in the queue's keys, and what happens to it, is not ours to assume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_vanishes_or_is_no_stream_stops_neither_the_writer_nor_harms_a_session() {
    let (site, stream, _) = one_shard().await;
    let mut redis = site.redis.clone();
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    let mut visit = Visit::begin(&site.store, None, None, &[]).await;
    until("the first is stored", async || site.rows().await == 1).await;
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").query_async::<()>(&mut redis).await.unwrap();
    visit.commit(&[("a", set("1"), false)]).await;
    until("the second is stored", async || site.rows().await == 2).await;

    redis::cmd("SET").arg(&stream).arg("no stream").query_async::<()>(&mut redis).await.unwrap();
    assert!(visit.change(&[("a", set("2"), false)], false).await.is_err());
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    // No conflict, so nothing of the refused change was written.
    visit.commit(&[("a", set("3"), false)]).await;
    assert_eq!(visit.base.version.get(), 3);
    until("the third is stored", async || site.rows().await == 3).await;

    // Somebody empties the whole namespace: sessions, counters, leases, everything.
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}:*", site.namespace)).query_async(&mut redis).await.unwrap();
    redis::cmd("DEL").arg(&keys).query_async::<()>(&mut redis).await.unwrap();
    let mut after = Visit::begin(&site.store, None, None, &[]).await;
    after.commit(&[("b", set("4"), false)]).await;
    until("the next session is stored", async || site.rows().await == 5).await;
    stopping.stop();
    running.await.unwrap();
    let values: Vec<String> = sqlx::query_scalar(
        "SELECT delta->'set'->>'a' FROM cloakroom.session_event WHERE delta->'set' ? 'a' ORDER BY version",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    assert_eq!(values, ["1", "3"]);
}

/// After a failover that lost the last changes: two histories with the same versions, and a clock behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forks_are_kept_and_times_are_those_of_the_stream() {
    let (site, stream, _) = one_shard().await;
    let mut redis = site.redis.clone();
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    let first = ByHand::new("alice");
    let child = || {
        let other = ByHand::new("alice");
        let (mine, its) = (first.reference.to_string(), other.reference.to_string());
        ByHand { version: 2, predecessor: first.event, reference: first.reference, ..other.with(&its, &mine) }
    };
    let entries = [first.clone(), child(), child()];
    let now: (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    // An hour ahead, and then what a clock that is behind gives: the next number of the same millisecond.
    add(&mut redis, &stream, &format!("{}-0", (now.0 + 3600) * 1000), &entries[..1]).await;
    add(&mut redis, &stream, "*", &entries[1..]).await;
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().stored, 3);
    let findings = check(&site.pool, &acked(&entries)).await;
    assert_eq!((findings.missing, findings.doubled, findings.wrong), (0, 0, 0));
    let ahead = format!(
        "SELECT count(*) FROM cloakroom.session_event WHERE occurred_at = to_timestamp({})",
        now.0 + 3600
    );
    let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(ahead)).fetch_one(&site.pool).await.unwrap();
    assert_eq!(rows, 3);
    let events = audit::history(&site.pool, &site.namespace, first.reference, None).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.forked).count(), 1, "one of the two was abandoned");
}
