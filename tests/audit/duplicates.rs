//! Two writers on one shard, and entries that come again.

use std::time::Duration;

use crate::{
    checker::{Findings, check},
    site::{shared, until},
    traffic::{ByHand, Traffic, add},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_without_leases_and_a_whole_redelivery_double_nothing() {
    let site = shared(4).await;
    // Every shard has its stream.
    let traffic = Traffic::start(&site.store, 4, 4, Duration::from_secs(3600));
    until("the streams are there", async || traffic.acked() == 4).await;
    drop(traffic);
    let streams = site.keys("audit").await;
    let mut redis = site.redis.clone();
    let mut acked = Vec::new();
    let mut dumps: Vec<Vec<u8>> = Vec::new();
    for stream in &streams {
        redis::cmd("DEL").arg(stream).query_async::<()>(&mut redis).await.unwrap();
        let entries: Vec<_> = (0..1500).map(|_| ByHand::new("alice")).collect();
        add(&mut redis, stream, "*", &entries).await;
        acked.extend(entries.iter().map(ByHand::acked));
        dumps.push(redis::cmd("DUMP").arg(stream).query_async(&mut redis).await.unwrap());
    }

    let writers = [site.writer().batch(100), site.writer().batch(170).concurrency(3)];
    let stops = writers.each_ref().map(|writer| writer.stop_handle());
    let running = writers.map(|writer| tokio::spawn(writer.lease(Duration::from_millis(100)).run()));
    // No lease holds: both writers work on every shard.
    let leases: Vec<String> = streams.iter().map(|stream| stream.replace(":audit", ":lease")).collect();
    let thief = tokio::spawn({
        let mut redis = redis.clone();
        async move {
            loop {
                redis::cmd("DEL").arg(&leases).query_async::<()>(&mut redis).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    site.until_drained().await;
    // As after a failover to a replica that has seen no deletion: everything is there again.
    for (stream, dump) in streams.iter().zip(&dumps) {
        let mut restore = redis::cmd("RESTORE");
        restore
            .arg(stream)
            .arg(0)
            .arg(dump.as_slice())
            .arg("REPLACE")
            .query_async::<()>(&mut redis)
            .await
            .unwrap();
    }
    site.until_drained().await;
    thief.abort();
    let mut stored = 0;
    let mut duplicates = 0;
    for (stop, running) in stops.into_iter().zip(running) {
        stop.stop();
        let report = running.await.unwrap();
        assert_eq!(report.dead, 0);
        stored += report.stored;
        duplicates += report.duplicates;
    }
    assert_eq!(stored, 6000);
    assert!(duplicates >= 6000, "all came again: {duplicates}");
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
}
