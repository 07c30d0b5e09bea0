//! Shards on three masters, of which one may be away.

use std::time::Duration;

use cloakroom::{
    audit::{self, AuditPool},
    store::RedisStore,
};

use crate::{
    checker::{Findings, check},
    site::{count, until, writer},
    traffic::Traffic,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_master_is_drained_and_a_silent_one_does_not_hold_up_the_others() {
    let (cluster, postgres) = (servers::Cluster::start(3).unwrap(), servers::Postgres::start().unwrap());
    let store = RedisStore::cluster(cluster.urls()).namespace("trail").shards(16).audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    let impatient = RedisStore::cluster(cluster.urls()).namespace("trail").shards(16).audit(true);
    let queue = impatient.timeout(Duration::from_millis(300)).build().unwrap().audit_queue();
    let pool = AuditPool::new(postgres.url()).open().unwrap();
    audit::migrate(&pool).await.unwrap();

    // 48 sessions, three on each shard.
    let traffic = Traffic::start(&store, 16, 48, Duration::from_secs(3600));
    until("every session began", async || traffic.acked() == 48).await;
    drop(traffic);
    let count = async || count(&pool, "SELECT count(*) FROM cloakroom.session_event").await;
    // The client knows the cluster before a part of it falls silent: without one node it finds none.
    assert_eq!(queue.len().await.unwrap(), 48);
    cluster.nodes()[0].pause().unwrap();
    let writer = writer(queue.clone(), &postgres.url()).lease(Duration::from_secs(3));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    // Two thirds of the shards, give or take the one at the border.
    until("the others' entries are stored", async || count().await >= 30).await;
    assert!(count().await < 48);
    cluster.nodes()[0].resume().unwrap();
    until("the silent one's follow", async || count().await == 48).await;

    let traffic = Traffic::start(&store, 16, 32, Duration::from_millis(2));
    until("there was load", async || traffic.acked() > 2000).await;
    let acked = traffic.stop().await;
    until("the queue is empty", async || queue.is_empty().await.unwrap_or(false)).await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.stored, report.dead, report.flushed), (48 + acked.len() as u64, 0, true));
    let findings = check(&pool, &acked).await;
    assert_eq!(findings, Findings { unknown: 48, ..Findings::NONE });
}
