//! `cloakroom migrate` and `cloakroom writer`

use crate::{
    program::Running,
    site::{Site, shared, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_stores_what_waits_and_stops_on_either_signal() {
    let site = shared().await;
    for (signal, rows) in [("TERM", 2), ("INT", 4)] {
        let mut visit = site.sign_in("ada").await;
        let writer = Running::start(site.command(&["writer"]));
        until("it works", async || site.rows().await == rows - 1).await;
        visit.set("cart", "1", false).await;
        let (status, out, err) = tokio::task::spawn_blocking(move || writer.stop(signal)).await.unwrap();
        assert!(status.success() && out.starts_with("2 stored, 0 duplicates"), "{out} {err}");
        assert_eq!(site.rows().await, rows, "nothing is left to the next writer");
        let leases = site.queue().status().await.unwrap();
        assert!(leases.shards.iter().all(|shard| shard.lease.is_none()), "its shards are free at once");
    }
}

/// In the order in which things come up by accident: the writer first, and everything else after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_may_start_before_the_database_answers_and_before_the_application() {
    let (redis, mut postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let site = Site::new(redis.url(), postgres.url());
    let migrated = site.run(&["migrate"]).await;
    assert_eq!(migrated.code, 0, "{migrated:?}");
    assert_eq!(site.run(&["migrate", "--check"]).await.code, 0);
    postgres.kill().unwrap();
    let writer = Running::start(site.command(&["writer"]));
    site.sign_in("ada").await;
    until("it has tried", async || writer.log().contains("entries wait in Redis")).await;
    postgres.restart().unwrap();
    until("it stores", async || site.queue().is_empty().await.unwrap()).await;
    let (status, out, err) = tokio::task::spawn_blocking(move || writer.stop("TERM")).await.unwrap();
    assert!(status.success() && out.starts_with("1 stored"), "{out} {err}");
    assert!(!err.contains("ada") && !err.contains('\u{1b}'), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_waits_for_the_application_can_be_stopped() {
    let site = shared().await;
    let waiting = Running::start(site.command(&["writer", "--namespace", "not-yet"]));
    until("it waits", async || waiting.log().contains("waiting for the first application")).await;
    let (status, ..) = tokio::task::spawn_blocking(move || waiting.stop("INT")).await.unwrap();
    assert!(status.success(), "{status:?}");
}
