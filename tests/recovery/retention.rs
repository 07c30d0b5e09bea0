//! Months are dropped, and sessions that began in them go on.

use std::time::Duration;

use cloakroom::audit::{
    self,
    recovery::ProblemKind,
    seal::Verifier,
    verify::{Discrepancy, VerifyReport},
};
use serde_json::json;

use crate::site::{Site, database, key};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// With which a session of that time is alive still.
const LIFETIME: Duration = Duration::from_secs(390 * 24 * 3600);

/// As if what waits in Redis had happened a hundred days ago.
fn age(site: &Site) {
    let script = "
        local waiting = redis.call('XRANGE', KEYS[1], '-', '+')
        redis.call('DEL', KEYS[1])
        for _, entry in ipairs(waiting) do
            local ms, seq = string.match(entry[1], '(%d+)-(%d+)')
            redis.call('XADD', KEYS[1], string.format('%.0f-%s', ms - ARGV[1], seq), unpack(entry[2]))
        end
        return #waiting";
    for stream in site.keys().into_iter().filter(|key| key.ends_with(":audit")) {
        site.redis(&["EVAL", script, "1", &stream, &(100 * DAY_MS).to_string()]);
    }
}

/// A session of eleven versions and a renewal long ago, and two versions of now.
async fn begun_long_ago(with_snapshot: bool) -> (Site, String) {
    let site = Site::with(&database(), LIFETIME).await;
    let token = site.run("", "login alice; write role \"guest\"; write n 1").await.token.unwrap();
    for n in 2..=5 {
        site.run(&token, &format!("write n {n}")).await;
    }
    let token = site.run(&token, "renew; write n 6").await.token.unwrap();
    for n in 7..=11 {
        site.run(&token, &format!("write n {n}")).await;
    }
    age(&site);
    site.drain().await;
    if with_snapshot {
        assert_eq!(site.signed_snapshots(10).await, 1);
    }
    site.run(&token, "write n 12").await;
    site.run(&token, "write m 13").await;
    site.drain().await;
    assert!(verify(&site).await.is_sound());
    // This month and the one before are kept.
    assert!(!audit::retain(&site.pool, 1).await.unwrap().is_empty());
    assert_eq!(site.sql("SELECT FROM cloakroom.session_event").await, 2);
    (site, token)
}

/// But for the seals of what was dropped.
async fn verify(site: &Site) -> VerifyReport {
    let kept = site.now().as_millis() - 80 * DAY_MS;
    let verifier = Verifier::new().key(key().public()).since(i64::try_from(kept * 1000).unwrap());
    site.verify().seals(verifier).run().await.unwrap()
}

async fn recovered(site: &Site) -> (u64, Vec<ProblemKind>) {
    let report = site.recovery().snapshots_signed_by([key().public()]).run().await.unwrap();
    assert_eq!(report.sessions, 1, "{report:?}");
    (report.restored, report.problems.into_iter().map(|problem| problem.kind).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlives_the_month_in_which_it_began_by_its_snapshot() {
    for with in [true, false] {
        let (site, token) = begun_long_ago(with).await;
        let report = verify(&site).await;
        let problems: Vec<Discrepancy> = report.problems.iter().map(|problem| problem.kind.clone()).collect();
        assert_eq!(problems, if with { vec![] } else { vec![Discrepancy::BeginningMissing] }, "{report:?}");
        assert_eq!(report.is_sound(), with, "{report:?}");
        site.redis(&["FLUSHALL"]);
        let lost = if with { vec![] } else { vec![ProblemKind::BeginningMissing] };
        assert_eq!(recovered(&site).await, (u64::from(with), lost));
        let told = site.run(&token, "read n; read m; read role; user").await.told;
        let there = [json!("12"), json!("13"), json!("\"guest\""), json!("alice")];
        assert_eq!(told, if with { there } else { [json!(null), json!(null), json!(null), json!(null)] });
    }
}

/// The snapshot says that the month was dropped. It does not say so any more once somebody has changed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_rows_are_not_hidden_by_a_snapshot_that_was_changed() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    for n in 2..=11 {
        site.run(&token, &format!("write n {n}")).await;
    }
    site.drain().await;
    assert_eq!(site.signed_snapshots(10).await, 1);
    site.run(&token, "write n 12").await;
    site.drain().await;
    assert_eq!(site.sql("DELETE FROM cloakroom.session_event WHERE version < 5").await, 4);
    let sql = r#"UPDATE cloakroom.session_snapshot SET state = convert_to(regexp_replace(
        convert_from(state, 'UTF8'), '"created_at":\d+', '"created_at":1577836800000'), 'UTF8')"#;
    assert_eq!(site.sql(sql).await, 1);
    let problems = site.verify().run().await.unwrap().problems;
    let kinds: Vec<Discrepancy> = problems.into_iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [Discrepancy::BeginningMissing, Discrepancy::SnapshotEdited(vec![11])]);
    site.redis(&["FLUSHALL"]);
    assert_eq!(recovered(&site).await, (0, vec![ProblemKind::BeginningMissing]));
}

/// Who only reads leaves no row: with the last of them the snapshot goes too, as that of a session would whose end was
/// in that month.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_row_that_is_kept_is_forgotten() {
    for ended in [true, false] {
        let site = Site::with(&database(), LIFETIME).await;
        let token = site.run("", "login alice; write n 1").await.token.unwrap();
        for n in 2..=5 {
            site.run(&token, &format!("write n {n}")).await;
        }
        age(&site);
        site.drain().await;
        assert_eq!(site.signed_snapshots(5).await, 1);
        if ended {
            site.run(&token, "logout").await;
            age(&site);
            site.drain().await;
        }
        audit::retain(&site.pool, 1).await.unwrap();
        assert_eq!(site.sql("SELECT FROM cloakroom.session_snapshot").await, 0);
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.sessions, report.restored), (0, 0), "{report:?}");
    }
}
