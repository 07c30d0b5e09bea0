//! The end of a writer.

use std::time::{Duration, Instant};

use cloakroom::audit;

use crate::{
    checker::{Findings, check},
    site::{Site, shared, until},
    traffic::Traffic,
};

async fn filled(site: &Site, entries: u64) -> Vec<crate::traffic::Acked> {
    let traffic = Traffic::start(&site.store, site.shards, 16, Duration::ZERO);
    until("enough entries wait", async || traffic.acked() >= entries).await;
    traffic.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_writer_stores_what_waits_and_gives_its_shards_back() {
    let site = shared(8).await;
    let acked = filled(&site, 4000).await;
    // So few at a time that it is far from done when it is asked to stop.
    let writer = site.writer().batch(50).lease(Duration::from_secs(60)).flush(Duration::from_secs(60));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it has begun", async || site.rows().await > 0).await;
    stopping.stop();
    let report = running.await.unwrap();
    assert!(report.flushed);
    assert_eq!((report.stored, report.dead), (acked.len() as u64, 0));
    assert!(site.queue().is_empty().await.unwrap());
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
    assert_eq!(site.keys("lease").await, Vec::<String>::new());
}

async fn stops_in_time(stop: fn(&mut servers::Postgres), start: fn(&mut servers::Postgres)) {
    let (redis, mut postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url(), 8).await;
    audit::migrate(&site.pool).await.unwrap();
    let acked = filled(&site, 500).await;
    let writer = site.writer().flush(Duration::from_secs(1));
    stop(&mut postgres);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it works on the shards", async || !site.keys("lease").await.is_empty()).await;
    let asked = Instant::now();
    stopping.stop();
    let report = running.await.unwrap();
    // One second to flush; the rest is for a busy machine.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!((report.stored, report.flushed), (0, false));
    assert_eq!(site.queue().len().await.unwrap(), acked.len() as u64);
    assert_eq!(site.keys("lease").await, Vec::<String>::new());

    start(&mut postgres);
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_it_stops_in_time_and_leaves_the_entries_to_the_next() {
    stops_in_time(|postgres| postgres.kill().unwrap(), |postgres| postgres.restart().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_does_not_answer_cannot_keep_it_from_stopping() {
    stops_in_time(|postgres| postgres.pause().unwrap(), |postgres| postgres.resume().unwrap()).await;
}

/// An aborted task, as when a runtime shuts down: nobody gives the leases back, and they run out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_writer_is_followed_by_another() {
    let site = shared(8).await;
    let acked = filled(&site, 2000).await;
    let first = tokio::spawn(site.writer().batch(20).run());
    until("it has begun", async || site.rows().await > 0).await;
    first.abort();
    assert!(first.await.is_err());
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}
