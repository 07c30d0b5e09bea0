//! Attempts outlive the writer that made them.

use std::{collections::HashMap, time::Duration};

use crate::{
    poison::{ONLY_PEOPLE, one_shard},
    site::{Site, until},
    traffic::{ByHand, add},
};

async fn counted(site: &Site) -> Vec<u32> {
    let mut counts = Vec::new();
    for key in site.keys("tries").await {
        let hash: HashMap<String, u32> =
            redis::cmd("HGETALL").arg(key).query_async(&mut site.redis.clone()).await.unwrap();
        counts.extend(hash.into_values());
    }
    counts
}

/// A writer that makes one attempt, and then would wait for an hour.
async fn one_attempt(site: &Site, done: impl AsyncFn() -> bool) {
    let writer = site.writer().retry(Duration::from_secs(3600));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it has made its attempt", done).await;
    stopping.stop();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_writers_with_one_attempt_each_make_a_dead_letter() {
    let (site, stream, _) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    add(&mut site.redis.clone(), &stream, "*", &[ByHand::new("robot"), ByHand::new("alice")]).await;
    for attempt in 1..5 {
        one_attempt(&site, async || counted(&site).await == [attempt]).await;
        assert_eq!(site.queue().dead_letters().await.unwrap(), 0);
    }
    one_attempt(&site, async || site.queue().dead_letters().await.unwrap() == 1).await;
    assert_eq!(site.queue().list_dead(None, 1).await.unwrap()[0].attempts, 5);
    assert_eq!((counted(&site).await, site.rows().await), (Vec::new(), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_stored_after_all_is_counted_no_more() {
    let (site, stream, _) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    add(&mut site.redis.clone(), &stream, "*", &[ByHand::new("robot")]).await;
    one_attempt(&site, async || counted(&site).await == [1]).await;
    sqlx::query("ALTER TABLE cloakroom.session_event DROP CONSTRAINT only_people")
        .execute(&site.pool)
        .await
        .unwrap();
    one_attempt(&site, async || site.queue().is_empty().await.unwrap()).await;
    assert_eq!((counted(&site).await, site.rows().await), (Vec::new(), 1));
}
