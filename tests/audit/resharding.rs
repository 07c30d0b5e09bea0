//! A shard moves to another node of the cluster while its entries are written and stored.

use std::time::Duration;

use cloakroom::{
    audit::{self, AuditPool},
    store::RedisStore,
};
use servers::{Cluster, Redis};

use crate::{
    checker::{Findings, check},
    site::{until, writer},
    traffic::Traffic,
};

fn ask(node: &Redis, command: &[&str]) -> String {
    node.command(command).unwrap()
}

/// Moves a slot with all of its keys.
fn hand_over(cluster: &Cluster, slot: &str, from: &Redis, to: &Redis) {
    let (old, new) = (ask(from, &["CLUSTER", "MYID"]), ask(to, &["CLUSTER", "MYID"]));
    ask(to, &["CLUSTER", "SETSLOT", slot, "IMPORTING", &old]);
    ask(from, &["CLUSTER", "SETSLOT", slot, "MIGRATING", &new]);
    let port = to.port().to_string();
    loop {
        let key = ask(from, &["CLUSTER", "GETKEYSINSLOT", slot, "1"]);
        if key.is_empty() {
            break;
        }
        ask(from, &["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
    }
    // The new owner is told first, so that nobody is sent in circles.
    for node in [to, from].into_iter().chain(cluster.nodes()) {
        ask(node, &["CLUSTER", "SETSLOT", slot, "NODE", &new]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_moves_under_load_loses_and_doubles_nothing() {
    let (cluster, postgres) = (Cluster::start(3).unwrap(), servers::Postgres::start().unwrap());
    let store = RedisStore::cluster(cluster.urls()).namespace("moving").shards(1).audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    let (queue, pool) = (store.audit_queue(), AuditPool::new(postgres.url()).open().unwrap());
    audit::migrate(&pool).await.unwrap();
    let writer = writer(queue.clone(), &postgres.url()).batch(20);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    let traffic = Traffic::start(&store, 1, 8, Duration::from_millis(2));
    until("there is load", async || traffic.acked() > 200).await;

    let key = |node: &&Redis| !ask(node, &["KEYS", "moving:*:epoch"]).is_empty();
    let mut from = cluster.nodes().iter().position(|node| key(&node)).unwrap();
    let epoch = ask(&cluster.nodes()[from], &["KEYS", "moving:*:epoch"]);
    let slot = ask(&cluster.nodes()[from], &["CLUSTER", "KEYSLOT", &epoch]);
    for _ in 0..4 {
        let to = (from + 1) % 3;
        tokio::task::block_in_place(|| {
            hand_over(&cluster, &slot, &cluster.nodes()[from], &cluster.nodes()[to]);
        });
        from = to;
        let before = traffic.acked();
        until("it goes on", async || traffic.acked() > before + 200).await;
    }
    let acked = traffic.stop().await;
    until("the queue is empty", async || queue.is_empty().await.unwrap_or(false)).await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    assert_eq!(check(&pool, &acked).await, Findings::NONE);
}
