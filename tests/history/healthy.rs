//! Nothing breaks, and nothing is wrong.

use servers::Redis;

use crate::{app::Outcome, checker::check, site::Site};

pub const TASKS: u64 = 8;
pub const REQUESTS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_over_two_instances_are_linearizable() {
    let redis = Redis::start().unwrap();
    let mut site = Site::open(&redis.url(), &redis.url()).await;
    for task in (0..TASKS).map(|seed| site.rush(seed, REQUESTS)).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    site.overlaps().await;
    site.lifetimes().await;
    let history = site.history.clone();
    let evidence = site.close().await;
    let violations = check(&evidence);
    assert!(violations.is_empty(), "{violations:?}");
    // Something was tried: conflicts, ends, renewals, old tokens.
    assert_eq!(history.unknown(), 0);
    assert!(evidence.trail.len() > 200, "{} entries", evidence.trail.len());
    for outcome in [Outcome::Conflict, Outcome::Gone, Outcome::Refused, Outcome::Saved(None)] {
        assert!(history.count(|other| other == outcome) > 0, "{outcome:?}");
    }
    let renewed = evidence.trail.iter().filter(|entry| entry.payload.kind == "renewed").count();
    assert!(renewed > 10, "{renewed} renewals");
}
