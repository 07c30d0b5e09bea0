//! `cloakroom status`

use serde_json::json;

use crate::{
    program::Running,
    site::{shared, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_and_who_works_is_told() {
    let site = shared().await;
    let empty = site.run(&["status", "--json"]).await;
    let told = empty.json();
    assert_eq!((empty.code, &told["entries"], &told["oldest_seconds"]), (0, &json!(0), &json!(null)));
    assert_eq!((&told["namespace"], told["shards"].as_array().unwrap().len()), (&json!(site.namespace), 2));

    for _ in 0..3 {
        site.sign_in("ada").await;
    }
    let waiting = site.run(&["status", "--json"]).await;
    let told = waiting.json();
    assert_eq!((waiting.code, &told["entries"], &told["abandoned_shards"]), (1, &json!(3), &json!(1)));
    assert!(
        told["bytes"].as_u64().unwrap() > 300 && told["oldest_seconds"].as_f64().unwrap() >= 0.0,
        "{told}"
    );
    let text = site.run(&["status"]).await;
    assert!(text.code == 1 && text.out.contains("nobody") && text.out.contains("3 entries"), "{text:?}");

    let writer = Running::start(site.command(&["writer", "--name", "host-7"]));
    until("it works on both shards", async || {
        let shards = site.queue().status().await.unwrap().shards;
        shards.iter().all(|shard| shard.entries == 0 && shard.lease.is_some())
    })
    .await;
    let working = site.run(&["status", "--all"]).await;
    assert_eq!((working.code, working.out.matches("host-7").count()), (0, 2), "{working:?}");
    assert!(working.out.contains("2 of 2 shards have a writer"), "{working:?}");
    tokio::task::spawn_blocking(move || writer.stop("TERM")).await.unwrap();
}
