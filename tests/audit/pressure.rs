//! PostgreSQL stays away, and what waits has used up its share of Redis.

use std::time::Duration;

use cloakroom::{
    audit::AuditOverflow,
    error::ErrorKind,
    record::EndReason,
    store::{RedisStore, SessionStore as _},
};

use crate::{
    sessions::{Visit, set},
    site::{Site, count, shared},
};

const BUDGET: u64 = 100_000;

async fn limited(overflow: AuditOverflow) -> (Site, RedisStore) {
    let site = shared(1).await;
    let store = RedisStore::builder(&site.redis_url).namespace(&site.namespace).shards(1).audit(true);
    let store = store.audit_budget(BUDGET).audit_overflow(overflow).timeout(Duration::from_secs(10));
    let store = store.build().unwrap();
    (site, store)
}

async fn drain(site: &Site) -> u64 {
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    crate::site::until("what was left out is told", async || {
        site.queue().status().await.unwrap().shed() == 0
    })
    .await;
    site.until_drained().await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!(report.dead, 0);
    report.stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_go_on_untold_and_how_many_is_told() {
    let (site, store) = limited(AuditOverflow::Shed).await;
    let mut visit = Visit::begin(&store, Some("alice"), None, &[]).await;
    for n in 0..1500 {
        visit.commit(&[("n", set(&n.to_string()), false)]).await;
    }
    assert_eq!(visit.base.version.get(), 1501, "no change is refused");
    let status = site.queue().status().await.unwrap();
    assert!(status.bytes() < BUDGET * 5 / 4, "{}", status.bytes());
    assert_eq!(status.entries() + status.shed(), 1501);
    assert!(status.shed() > 100, "{}", status.shed());
    // Who comes, moves and goes is told all the same.
    let other = Visit::begin(&store, Some("bob"), None, &[("a", set("1"), false)]).await;
    visit.renew().await;
    other.end(EndReason::LoggedOut).await;
    visit.end(EndReason::LoggedOut).await;
    assert_eq!(site.queue().len().await.unwrap(), status.entries() + 4);

    assert_eq!(drain(&site).await, status.entries() + 4 + 1);
    let missing = "SELECT max(version) - count(*) FROM cloakroom.session_event WHERE user_id = 'alice'";
    assert_eq!(count(&site.pool, missing).await, status.shed() as i64);
    let told: Vec<(String, i16, i64)> =
        sqlx::query_as("SELECT namespace, shard, changes FROM cloakroom.gaps")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    assert_eq!(told, [(site.namespace.clone(), 0, status.shed() as i64)]);
    let times = "SELECT count(*) FROM cloakroom.gaps WHERE since <= until AND until <= now() AND since > now() - interval '1 hour'";
    assert_eq!(count(&site.pool, times).await, 1);
    let plain = "SELECT count(*) FROM cloakroom.session_event WHERE kind = 'gap' AND flags = 0 AND delta_raw IS NULL AND ref IS NULL";
    assert_eq!(count(&site.pool, plain).await, 1);

    // And once there is room, everything is told again.
    let mut later = Visit::begin(&store, Some("carol"), None, &[]).await;
    later.commit(&[("n", set("1"), false)]).await;
    assert_eq!(site.queue().len().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_may_happen_untold_a_change_is_refused_and_a_sign_in_is_not() {
    let (site, store) = limited(AuditOverflow::Block).await;
    let mut visit = Visit::begin(&store, Some("alice"), None, &[]).await;
    let mut made = 0;
    let refusal = loop {
        match visit.change(&[("n", set("1"), false)], false).await {
            Ok(()) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 5000, "nothing is refused");
    };
    assert_eq!(refusal.kind(), ErrorKind::Unavailable);
    assert_eq!((site.queue().len().await.unwrap(), visit.base.version.get()), (made + 1, made + 1));
    let other = Visit::begin(&store, Some("bob"), None, &[]).await;
    other.end(EndReason::LoggedOut).await;
    visit.renew().await;

    drain(&site).await;
    // It is the next version: the refused change has left nothing behind.
    visit.commit(&[("n", set("2"), false)]).await;
    assert_eq!(visit.base.version.get(), made + 3);
    assert_eq!(count(&site.pool, "SELECT count(*) FROM cloakroom.gaps").await, 0);
}

/// A server of one's own that makes room by forgetting what has a TTL: sessions. What waits has none, and would push
/// them out if it had no budget.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_pushes_no_session_out() {
    for (budget, evicts) in [(1_000_000, false), (1_000_000_000, true)] {
        let settings = ["--maxmemory", "8mb", "--maxmemory-policy", "volatile-lru"];
        let redis = servers::Redis::with(&settings).unwrap();
        let store = RedisStore::builder(redis.url()).shards(1).audit(true).audit_budget(budget);
        let store = store.timeout(Duration::from_secs(10)).build().unwrap();
        store.ready().await.unwrap();
        let value = set(&format!("{:?}", "x".repeat(2000)));
        let mut quiet = Visit::begin(&store, Some("alice"), None, &[("n", set("1"), false)]).await;
        let mut busy = Visit::begin(&store, Some("bob"), None, &[]).await;
        let busy = tokio::spawn(async move {
            for _ in 0..5000 {
                busy.commit(&[("basket", value.clone(), false)]).await;
            }
        });
        // Its session may be the one that is pushed out.
        assert!(busy.await.is_ok() || evicts);
        let stats = redis.command(&["INFO", "stats"]).unwrap();
        let evicted =
            stats.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap().trim().to_owned();
        assert_eq!(evicted != "0", evicts, "with a budget of {budget}, {evicted} are gone");
        if !evicts {
            quiet.commit(&[("n", set("2"), false)]).await;
            let status = store.audit_queue().status().await.unwrap();
            assert_eq!(status.entries() + status.shed(), 5003);
            assert!(status.shed() > 1000);
        }
    }
}

/// Where any key may be forgotten, entries are among them, and nobody could say which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_forget_entries_is_refused() {
    for (limit, policy, refused) in [
        ("100mb", "allkeys-lru", true),
        ("100mb", "allkeys-random", true),
        ("100mb", "volatile-lru", false),
        ("100mb", "noeviction", false),
        ("0", "allkeys-lru", false),
    ] {
        let redis = servers::Redis::with(&["--maxmemory", limit, "--maxmemory-policy", policy]).unwrap();
        for audit in [true, false] {
            let store = RedisStore::builder(redis.url()).audit(audit).build().unwrap();
            let ready = store.ready().await;
            assert_eq!(ready.is_err(), refused && audit, "{limit} {policy} {audit}: {ready:?}");
            if let Err(error) = ready {
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.to_string().contains("noeviction"), "{error}");
            }
        }
    }
}
