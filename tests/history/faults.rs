//! Redis is killed in the middle, and comes back with everything that it acknowledged.

use std::time::{Duration, Instant};

use servers::Redis;

use crate::{app::Outcome, checker::check, healthy::TASKS, site::Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_redis_is_killed() {
    let mut redis = Redis::durable().unwrap();
    let mut site = Site::open(&redis.url(), &redis.url()).await;
    for round in 0..3 {
        let known = || site.history.count(|outcome| outcome != Outcome::Unknown);
        let (answered, unknown) = (known(), site.history.unknown());
        let tasks: Vec<_> = (0..TASKS).map(|seed| site.rush(100 * round + seed, 40)).collect();
        until("some requests are answered", || known() > answered + 60).await;
        tokio::task::block_in_place(|| redis.kill().unwrap());
        until("some requests are not", || site.history.unknown() > unknown).await;
        tokio::task::block_in_place(|| redis.restart().unwrap());
        for task in tasks {
            task.await.unwrap();
        }
    }
    site.overlaps().await;
    site.lifetimes().await;
    let evidence = site.close().await;
    let violations = check(&evidence);
    assert!(violations.is_empty(), "{violations:?}");
    assert!(evidence.trail.len() > 200, "{} entries", evidence.trail.len());
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
