//! PostgreSQL goes away and comes back.

use std::time::Duration;

use cloakroom::audit::{self, AuditWriter};
use sqlx::postgres::PgPoolOptions;

use crate::{
    checker::{Findings, check, compare_heads},
    site::{Site, until},
    traffic::Traffic,
};

/// Long enough for more than five attempts by any backoff that counts them. `CLOAKROOM_OUTAGE=600` makes it the
/// ten minutes of a real one.
fn outage() -> Duration {
    let seconds = std::env::var("CLOAKROOM_OUTAGE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}
/// Longer than the ten seconds after which a statement without an answer is given up.
const SILENCE: Duration = Duration::from_secs(13);

async fn survives(span: Duration, stop: fn(&mut servers::Postgres), start: fn(&mut servers::Postgres)) {
    let (redis, mut postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 8).await;
    audit::migrate(&site.pool).await.unwrap();
    // One row at a time, and so impatient that an outage means a hundred failures: were they counted as
    // attempts, entries would be dead letters by its end.
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(100)).connect(&site.postgres_url);
    let writer = AuditWriter::new(site.queue(), pool.await.unwrap()).batch(1);
    let writer =
        writer.lease(Duration::from_millis(300)).retry(Duration::from_millis(1)).flush(Duration::ZERO);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    // What a long one leaves must fit into this machine.
    let pause = Duration::from_millis(if span > Duration::from_secs(60) { 50 } else { 4 });
    let traffic = Traffic::start(&site.store, 8, 8, pause);
    until("something is stored", async || site.rows().await > 100).await;

    let before = traffic.acked();
    stop(&mut postgres);
    tokio::time::sleep(span).await;
    until("sessions went on", async || traffic.acked() > before + 500).await;
    let backlog = site.queue().len().await.unwrap();
    assert!(backlog > 400, "it waits in Redis: {backlog}");
    assert!(site.queue().oldest().await.unwrap().unwrap() > span / 2);
    start(&mut postgres);
    let stored = site.rows().await;
    until("it goes on by itself", async || site.rows().await > stored).await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);

    // One that takes more at a time for the rest.
    let acked = traffic.stop().await;
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.dead, report.flushed), (0, true));
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
    assert_eq!(compare_heads(&site).await, (0, 8));
    assert_eq!(site.queue().dead_letters().await.unwrap(), 0);
    assert_eq!(site.queue().oldest().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgres_costs_no_entry_and_no_attempt() {
    survives(outage(), |postgres| postgres.kill().unwrap(), |postgres| postgres.restart().unwrap()).await;
}

/// It accepts connections and never answers: worse than one that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_does_not_answer_costs_no_entry_either() {
    survives(SILENCE, |postgres| postgres.pause().unwrap(), |postgres| postgres.resume().unwrap()).await;
}

/// Redis keeps what it acknowledged, and the writer finds it again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_costs_no_entry() {
    let (mut redis, postgres) = (servers::Redis::durable().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 8).await;
    audit::migrate(&site.pool).await.unwrap();
    let traffic = Traffic::start(&site.store, 8, 8, Duration::ZERO);
    until("some entries wait", async || traffic.acked() > 2000).await;
    let acked = traffic.stop().await;

    let writer = site.writer().batch(20);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("something is stored", async || site.rows().await > 0).await;
    redis.restart().unwrap();
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}

/// With the usual setting a killed Redis may lose its last two seconds: sessions and entries alike, since they are
/// one write. What it still has of the one it has of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_its_last_moment_forgets_both_a_change_and_its_entry() {
    let settings = ["--appendonly", "yes", "--appendfsync", "everysec"];
    let (mut redis, postgres) =
        (servers::Redis::with(&settings).unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 4).await;
    audit::migrate(&site.pool).await.unwrap();
    let traffic = Traffic::start(&site.store, 4, 8, Duration::ZERO);
    until("some entries wait", async || traffic.acked() > 2000).await;
    let acked = traffic.stop().await;
    redis.kill().unwrap();
    redis.restart().unwrap();
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
    let findings = check(&site.pool, &acked).await;
    assert_eq!(
        (findings.unknown, findings.doubled, findings.wrong, findings.broken),
        (0, 0, 0, 0),
        "{findings:?}"
    );
    let (different, sessions) = compare_heads(&site).await;
    assert!(different == 0 && sessions > 0, "{different} of {sessions}");
}
