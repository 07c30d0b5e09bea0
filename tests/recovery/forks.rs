//! What a failover, a lost entry and a hand in the table leave behind.

use cloakroom::audit::recovery::ProblemKind;
use serde_json::json;

use crate::site::Site;

fn only_session(site: &Site) -> String {
    site.keys().into_iter().find(|key| key.contains(":s:")).unwrap()
}

/// Lets Redis fall back to what it was before `steps`, which the trail already has: a replica that did not
/// know of them was promoted.
pub async fn acknowledged_and_forgotten(site: &Site, hash: &str, token: &str, steps: &str) {
    site.redis(&["COPY", hash, "kept"]);
    site.run(token, steps).await;
    site.drain().await;
    let tombstone = hash.replace(":s:", ":x:");
    site.redis(&["DEL", hash, &tombstone]);
    site.redis(&["RENAME", "kept", hash]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_branch_that_went_on_is_chosen_and_the_other_reported() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    site.run(&token, "write n 2").await;
    acknowledged_and_forgotten(&site, &only_session(&site), &token, "write n 30; write dead true").await;
    site.run(&token, "write n 3").await;
    site.run(&token, "write m 4").await;
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.problems.len()), (1, 1), "{report:?}");
    assert!(matches!(&report.problems[0].kind, ProblemKind::Forked(ends) if ends.len() == 1));
    let told = site.run(&token, "read n; read m; read dead; version").await.told;
    assert_eq!(told, [json!("3"), json!("4"), json!(null), json!(5)]);
}

/// The trail is ahead of Redis, which is alive: it is the truth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_behind_its_trail_is_left_alone() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    acknowledged_and_forgotten(&site, &only_session(&site), &token, "write n 2").await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.present), (0, 1), "{report:?}");
    assert_eq!(site.run(&token, "read n").await.told, [json!("1")]);
}

/// Redis is alive under the old token: the session must not come to life under two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_renewal_makes_no_second_session() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    let old = site.keys().into_iter().find(|key| key.contains(":s:")).unwrap();
    let new = site.run(&token, "renew").await.token.unwrap();
    site.drain().await;
    let renewed = site.keys().into_iter().find(|key| key.contains(":s:")).unwrap();
    site.redis(&["DEL", &old.replace(":s:", ":x:")]);
    site.redis(&["RENAME", &renewed, &old]);
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.present), (0, 1), "{report:?}");
    assert_eq!(site.run(&new, "user").await.told, [json!(null)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_counts_on_whichever_branch_it_was_written() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    acknowledged_and_forgotten(&site, &only_session(&site), &token, "logout").await;
    site.run(&token, "write n 2").await;
    site.run(&token, "write n 3").await;
    site.drain().await;
    // While Redis has it, it is said and nothing is done.
    let report = site.recovery().run().await.unwrap();
    assert!(report.problems.iter().any(|problem| problem.kind == ProblemKind::AliveThoughEnded));
    assert_eq!(site.run(&token, "user").await.told, [json!("alice")]);
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (0, 1), "{report:?}");
    assert_eq!(site.run(&token, "user; ended").await.told, [json!(null), json!("logged_out")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_a_gap_is_left_out_unless_it_is_accepted() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write role \"admin\"").await.token.unwrap();
    for step in ["remove role", "write n 3", "write n 4"] {
        site.run(&token, step).await;
    }
    let ended = site.run("", "login bob").await.token.unwrap();
    site.run(&ended, "write n 1").await;
    site.run(&ended, "logout").await;
    let headless = site.run("", "login carol").await.token.unwrap();
    site.run(&headless, "write n 1").await;
    site.drain().await;
    for sql in [
        "DELETE FROM cloakroom.session_event WHERE version = 2 AND user_id IN ('alice', 'bob')",
        "DELETE FROM cloakroom.session_event WHERE version = 1 AND user_id = 'carol'",
    ] {
        sqlx::query(sql).execute(&site.pool).await.unwrap();
    }
    site.redis(&["FLUSHALL"]);
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.left_out, report.ended), (3, 2, 1), "{report:?}");
    let kinds: Vec<_> = report.problems.iter().map(|problem| &problem.kind).collect();
    assert!(kinds.contains(&&ProblemKind::BeginningMissing), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| ***kind == ProblemKind::Gapped(vec![(2, 2)])).count(), 2);
    assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
    assert_eq!(site.run(&ended, "ended").await.told, [json!("logged_out")]);

    let report = site.recovery().over_gaps().run().await.unwrap();
    assert_eq!((report.restored, report.left_out), (1, 1), "{report:?}");
    let told = site.run(&token, "user; read n; version").await.told;
    assert_eq!(told, [json!("alice"), json!("4"), json!(5)]);
}

/// A change whose reply was lost with the old primary was made again, on the new one, under the same event id: it is in
/// both histories, at different places, and leads from neither into the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_stands_in_two_histories_joins_them_nowhere() {
    for version in [2, 3] {
        let site = Site::start().await;
        let token = site.run("", "login alice; write n 1").await.token.unwrap();
        acknowledged_and_forgotten(&site, &only_session(&site), &token, "write dead true").await;
        site.run(&token, "write n 2").await;
        site.run(&token, "write n 3").await;
        site.run(&token, "write n 4").await;
        site.drain().await;
        copy_row(
            &site,
            version,
            "UPDATE copied SET version = 3, occurred_at = occurred_at - interval '1 millisecond', prev_event_id =
                 (SELECT event_id FROM cloakroom.session_event WHERE version = 2 ORDER BY occurred_at LIMIT 1)",
        )
        .await;
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.restored, report.problems.len()), (1, 1), "{version}: {report:?}");
        let ends = &report.problems[0].kind;
        assert!(matches!(ends, ProblemKind::Forked(ends) if ends.len() == 1), "{version}: {report:?}");
        let told = site.run(&token, "read n; read dead; version").await.told;
        assert_eq!(told, [json!("4"), json!(null), json!(5)], "{version}");
    }
}

/// Or at the same place: then only the moment differs, and there is no branch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_told_twice_is_no_fork() {
    for last in [2, 3] {
        let site = Site::start().await;
        let token = site.run("", "login alice; write n 1").await.token.unwrap();
        for n in 2..=last {
            site.run(&token, &format!("write n {n}")).await;
        }
        site.drain().await;
        copy_row(&site, 2, "UPDATE copied SET occurred_at = occurred_at + interval '1 millisecond'").await;
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.restored, report.problems.len()), (1, 0), "{report:?}");
        let told = site.run(&token, "read n; version").await.told;
        assert_eq!(told, [json!(last.to_string()), json!(last + 1)]);
    }
}

/// Adds the newest row of a version once more, altered.
async fn copy_row(site: &Site, version: u64, alter: &str) {
    let sql = format!(
        "CREATE TEMP TABLE copied ON COMMIT DROP AS
             SELECT * FROM cloakroom.session_event WHERE version = {version} ORDER BY occurred_at DESC LIMIT 1;
         {alter};
         INSERT INTO cloakroom.session_event SELECT * FROM copied"
    );
    let mut transaction = site.pool.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}
