//! Sessions on three masters, held against the trail, and brought back from it.

use std::time::Duration;

use cloakroom::{
    audit::{self, AuditPool, AuditWriter, Recovery, Verify},
    store::RedisStore,
};
use serde_json::json;
use servers::Cluster;

use crate::{
    app::App,
    meta,
    site::{PEPPER, database, until},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What every node answers.
fn everywhere(cluster: &Cluster, command: &[&str]) -> Vec<String> {
    cluster.nodes().iter().map(|node| node.command(command).unwrap()).collect()
}

fn keys(cluster: &Cluster, node: usize, pattern: &str) -> Vec<String> {
    let keys = cluster.nodes()[node].command(&["KEYS", pattern]).unwrap();
    keys.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_every_master_are_verified_and_come_back() {
    let cluster = Cluster::start(3).unwrap();
    let store = RedisStore::cluster(cluster.urls()).namespace("shop").shards(16).pepper(PEPPER).audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    let pool = AuditPool::new(database()).connections(4).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    let app = App::new(store.clone(), DAY);
    let verify = async || Verify::new(&store, pool.clone()).run().await.unwrap();
    let drain = async || {
        let queue = store.audit_queue();
        let writer = AuditWriter::new(queue.clone(), pool.clone());
        let (stop, running) = (writer.stop_handle(), tokio::spawn(writer.run()));
        until("everything is stored", async || queue.is_empty().await.unwrap()).await;
        stop.stop();
        assert_eq!(running.await.unwrap().dead, 0);
    };
    let mut tokens = Vec::new();
    for n in 0..24 {
        tokens.push(app.run("", &format!("login user-{n}; write n {n}")).await.token.unwrap());
    }
    // While all of it waits, the queue tells of them.
    assert!(verify().await.is_sound());
    drain().await;
    let report = verify().await;
    assert!(report.is_sound() && report.sessions == 24 && report.alive == 24, "{report:?}");

    everywhere(&cluster, &["FLUSHALL"]);
    let lost = app.run(&tokens[0], "user").await;
    assert_eq!(lost.told, [json!(null)]);
    let report = Recovery::new(&store, pool.clone()).run().await.unwrap();
    assert_eq!((report.sessions, report.restored), (24, 24), "{report:?}");
    for (n, token) in tokens.iter().enumerate() {
        let told = app.run(token, "user; read n").await.told;
        assert_eq!(told, [json!(format!("user-{n}")), json!(n.to_string())]);
    }
    drain().await;

    // Whose entries are lost is named, whichever master has it.
    for n in 0..64 {
        app.run("", &format!("login eve-{n}")).await;
    }
    let mut strangers = Vec::new();
    for (node, redis) in cluster.nodes().iter().enumerate() {
        for stream in keys(&cluster, node, "*:audit") {
            redis.command(&["XTRIM", &stream, "MAXLEN", "0"]).unwrap();
        }
        let all = keys(&cluster, node, "shop:*:s:*").into_iter();
        let of_eve =
            |key: &String| meta::user(&redis.command(&["HGET", key, "m"]).unwrap()).starts_with("eve");
        let here: Vec<String> = all.filter(of_eve).collect();
        assert!(!here.is_empty(), "64 sessions, and none on node {node}");
        strangers.extend(here);
    }
    strangers.sort();
    let report = verify().await;
    assert_eq!(report.untold, strangers);
    assert!(report.problems.is_empty() && !report.is_sound(), "{report:?}");
}
