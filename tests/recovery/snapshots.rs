//! What long sessions came to, written down.

use std::time::Duration;

use cloakroom::audit::{
    self, Snapshots, Verify,
    recovery::ProblemKind,
    seal::erase,
    verify::{self, Discrepancy},
};
use serde_json::json;

use crate::{forks::acknowledged_and_forgotten, site::Site};

/// A session of twelve versions, of which the first ten are in a snapshot.
async fn long(site: &Site) -> String {
    let token = site.run("", "login alice; write n 1; secret otp 1").await.token.unwrap();
    for n in 2..=10 {
        site.run(&token, &format!("write n {n}")).await;
    }
    site.drain().await;
    assert_eq!(site.snapshots(10).await, 1);
    site.run(&token, "write n 11").await;
    site.run(&token, "write m 12").await;
    site.drain().await;
    token
}

async fn lose(site: &Site) {
    site.drain().await;
    site.redis(&["FLUSHALL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_younger_is_read() {
    let site = Site::start().await;
    let token = long(&site).await;
    // Over a renewal.
    let token = site.run(&token, "renew; write k 13").await.token.unwrap();
    lose(&site).await;
    let whole = site.recovery().without_snapshots().dry_run().run().await.unwrap();
    assert_eq!((whole.rows, whole.since_snapshots, whole.restored), (13, 0, 1), "{whole:?}");
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.rows, report.since_snapshots, report.restored), (3, 1, 1), "{report:?}");
    assert!(
        matches!(&report.problems[..], [one] if matches!(one.kind, ProblemKind::SecretsLost(_))),
        "{report:?}"
    );
    let told = site.run(&token, "read n; read m; read k; user; version").await.told;
    assert_eq!(told, [json!("11"), json!("12"), json!("13"), json!("alice"), json!(14)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_before_the_snapshot_is_recovered_from_its_rows() {
    let site = Site::start().await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    let moment = site.tick().await;
    for n in 2..=10 {
        site.run(&token, &format!("write n {n}")).await;
    }
    site.drain().await;
    assert_eq!(site.snapshots(10).await, 1);
    lose(&site).await;
    let report = site.recovery().until(moment).run().await.unwrap();
    assert_eq!((report.since_snapshots, report.restored, report.rows), (0, 1, 10), "{report:?}");
    assert_eq!(site.run(&token, "read n").await.told, [json!("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_two_are_kept_and_none_is_made_twice() {
    let site = Site::start().await;
    let token = site.run("", "write n 1").await.token.unwrap();
    for round in 0..4 {
        for _ in 0..5 {
            site.run(&token, "inc n").await;
        }
        site.drain().await;
        // Rows that were stored just now may not be all.
        let waiting = Snapshots::new(site.pool.clone(), "shop").every(5).settle(Duration::from_secs(60));
        assert_eq!(waiting.run().await.unwrap().made, 0);
        let (one, other) = tokio::join!(site.snapshots(5), site.snapshots(5));
        assert_eq!(one + other, 1);
        assert_eq!(site.snapshots(5).await, 0);
        let kept = site.sql("SELECT FROM cloakroom.session_snapshot").await;
        assert_eq!(kept, if round == 0 { 1 } else { 2 });
    }
    // Who has gone needs none.
    site.run(&token, "inc n; inc n; inc n; inc n; inc n; logout").await;
    site.drain().await;
    assert_eq!(site.snapshots(1).await, 0);
}

/// The months in which it began are past keeping.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlives_its_first_rows() {
    for with in [true, false] {
        let site = Site::start().await;
        let token = long(&site).await;
        site.sql("DELETE FROM cloakroom.session_event WHERE version <= 7").await;
        if !with {
            site.sql("DELETE FROM cloakroom.session_snapshot").await;
        }
        // Somebody who signed in is listed by the rows that are left, too.
        let report = site.recovery().user("alice").dry_run();
        site.redis(&["FLUSHALL"]);
        assert_eq!(report.run().await.unwrap().restored, u64::from(with));
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.sessions, report.restored), (1, u64::from(with)), "{report:?}");
        let begins = ProblemKind::BeginningMissing;
        assert_eq!(report.problems.iter().any(|problem| problem.kind == begins), !with, "{report:?}");
        let told = site.run(&token, "read n; read m; user").await.told;
        let there = [json!("11"), json!("12"), json!("alice")];
        assert_eq!(told, if with { there } else { [json!(null), json!(null), json!(null)] });
        if with {
            site.drain().await;
            // In a month that is there, a row that is missing was deleted.
            let report = site.verify().run().await.unwrap();
            let missing = |problem: &verify::Problem| problem.kind == Discrepancy::BeginningMissing;
            assert!(report.problems.iter().any(missing), "{report:?}");
            let long_ago = r#"UPDATE cloakroom.session_snapshot SET state = convert_to(regexp_replace(
                convert_from(state, 'UTF8'), '"created_at":\d+', '"created_at":1577836800000'), 'UTF8')"#;
            assert_eq!(site.sql(long_ago).await, 1);
            // Nobody signed that; and who has no keys can't know.
            let report = site.verify().run().await.unwrap();
            assert!(report.problems.iter().any(missing), "{report:?}");
            let keyless = Verify::new(&site.store, site.pool.clone()).run().await.unwrap();
            assert!(keyless.problems.is_empty(), "{keyless:?}");
        }
    }
}

/// A branch of a lost history is stored when the snapshot is there already: below it, or from it on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_rows_contradict_is_passed_over() {
    for below in [true, false] {
        let site = Site::start().await;
        let token = long(&site).await;
        // Another event at version 5 or 11, which follows no event of the others.
        let (version, before) = if below { (5, 4) } else { (11, 9) };
        let sql = format!(
            "CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM cloakroom.session_event WHERE version = {version};
             UPDATE copied SET event_id = gen_random_uuid(), ingested_at = now(), prev_event_id =
                 (SELECT event_id FROM cloakroom.session_event WHERE version = {before}),
                 occurred_at = occurred_at - interval '1 microsecond';
             INSERT INTO cloakroom.session_event SELECT * FROM copied"
        );
        let mut transaction = site.pool.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.since_snapshots, report.restored), (0, 1), "{report:?}");
        let forked = |kind: &ProblemKind| matches!(kind, ProblemKind::Forked(ends) if ends.len() == 1);
        assert!(report.problems.iter().any(|problem| forked(&problem.kind)), "{report:?}");
        assert_eq!(site.run(&token, "read n; read m").await.told, [json!("11"), json!("12")]);
        // Nor is another made over the fork.
        site.snapshots(1).await;
        let over = if below { "version BETWEEN 5 AND 9" } else { "version > 10" };
        let over = format!("SELECT FROM cloakroom.session_snapshot WHERE {over}");
        let over = sqlx::query(sqlx::AssertSqlSafe(over)).execute(&site.pool).await.unwrap();
        assert_eq!(over.rows_affected(), 0);
    }
}

/// An end that stands in a branch that was lost, and was stored late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_stored_late_counts() {
    let site = Site::start().await;
    let token = long(&site).await;
    let hash = site.keys().into_iter().find(|key| key.contains(":s:")).unwrap();
    acknowledged_and_forgotten(&site, &hash, &token, "logout").await;
    for n in 13..=30 {
        site.run(&token, &format!("write n {n}")).await;
    }
    lose(&site).await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (0, 1), "{report:?}");
    assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
}

/// An end under a ref that was given up, after versions that are missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_on_a_former_ref_counts() {
    for under_the_first in [true, false] {
        let site = Site::start().await;
        let mut token = site.run("", "login alice; write n 1").await.token.unwrap();
        for n in 2..=10 {
            token = site.run(&token, &format!("write n {n}; renew")).await.token.unwrap_or(token);
        }
        site.drain().await;
        assert_eq!(site.snapshots(10).await, 1);
        // The newest ref has no row yet.
        let report = site.recovery().dry_run().run().await.unwrap();
        assert_eq!((report.rows, report.since_snapshots), (0, 1), "{report:?}");
        let sql = "INSERT INTO cloakroom.session_event
                       (event_id, occurred_at, namespace, ref, version, prev_event_id, kind, reason, schema_version, shard, stream_id)
                   SELECT gen_random_uuid(), now(), namespace, ref, 40, gen_random_uuid(), 'ended', 'logged_out', schema_version,
                       shard, '1-1'
                   FROM cloakroom.session_event WHERE version = $1 LIMIT 1";
        sqlx::query(sql).bind(if under_the_first { 1_i64 } else { 10 }).execute(&site.pool).await.unwrap();
        site.redis(&["FLUSHALL"]);
        for whole in [true, false] {
            let recovery = site.recovery().dry_run();
            let recovery = if whole { recovery.without_snapshots() } else { recovery };
            let report = recovery.run().await.unwrap();
            assert_eq!((report.restored, report.ended), (0, 1), "{under_the_first} {whole}: {report:?}");
        }
        site.recovery().run().await.unwrap();
        assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_in_no_snapshot() {
    for rows_are_there in [true, false] {
        let site = Site::start().await;
        long(&site).await;
        let other = site.run("", "login bob; write n 1").await.token.unwrap();
        for _ in 0..10 {
            site.run(&other, "inc n").await;
        }
        site.drain().await;
        assert_eq!(site.snapshots(10).await, 1, "bob's");
        if !rows_are_there {
            site.sql("DELETE FROM cloakroom.session_event WHERE user_id = 'alice'").await;
        }
        erase(&site.pool, "shop", "alice").await.unwrap();
        assert_eq!(site.sql("SELECT FROM cloakroom.session_snapshot").await, 1);
        assert_eq!(site.snapshots(1).await, 0);
        site.redis(&["FLUSHALL"]);
        assert_eq!(site.recovery().run().await.unwrap().restored, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_another_form_is_no_obstacle() {
    let site = Site::start().await;
    let token = long(&site).await;
    site.sql("UPDATE cloakroom.session_snapshot SET state = '{\"schema\":9}'").await;
    site.redis(&["FLUSHALL"]);
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.since_snapshots, report.restored, report.rows), (0, 1, 12), "{report:?}");
    assert_eq!(site.run(&token, "read m").await.told, [json!("12")]);
}

/// What is wrong with the last snapshot need not be wrong with the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_one_of_two_serves_where_the_newer_one_does_not() {
    let row = |version: u64, before: u64| {
        format!(
            "WITH copied AS (SELECT * FROM cloakroom.session_event WHERE version = {version}),
             changed AS (
                 SELECT to_jsonb(copied) || jsonb_build_object('event_id', gen_random_uuid(), 'ingested_at', now(),
                     'occurred_at', occurred_at - interval '1 microsecond',
                     'prev_event_id', (SELECT event_id FROM cloakroom.session_event WHERE version = {before})) AS row
                 FROM copied
             )
             INSERT INTO cloakroom.session_event
             SELECT (jsonb_populate_record(NULL::cloakroom.session_event, row)).* FROM changed"
        )
    };
    let unreadable = "UPDATE cloakroom.session_snapshot SET state = '{\"schema\":9}' WHERE version = 15";
    // Rows that are read, snapshots that are used, and branches beside the chosen one.
    let cases = [
        ("of another form", unreadable.to_owned(), 7, 1, 0),
        ("a row below it was stored late", row(12, 11), 8, 1, 1),
        ("a row after it follows another", row(16, 11), 3 + 8, 1, 1),
        ("a row below both was stored late", row(5, 4), 18, 0, 1),
    ];
    for (case, sql, rows, since, branches) in cases {
        let site = Site::start().await;
        let token = site.run("", "login alice; write n 1").await.token.unwrap();
        for n in 2..=17 {
            site.run(&token, &format!("write n {n}")).await;
            if n == 10 || n == 15 || n == 17 {
                site.drain().await;
                assert_eq!(site.snapshots(5).await, u64::from(n < 17));
            }
        }
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{case}");
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().without_snapshots().dry_run().run().await.unwrap();
        let problems = report.problems;
        assert_eq!(problems.len(), branches, "{case}: {problems:?}");
        let report = site.recovery().run().await.unwrap();
        let told = (report.rows, report.since_snapshots, report.restored);
        assert_eq!(told, (rows, since, 1), "{case}: {report:?}");
        assert_eq!(report.problems, problems, "{case}");
        assert_eq!(site.run(&token, "read n").await.told, [json!("17")], "{case}");
    }
}

/// A session that ran out, as a sweep told it: its end has no version. Also on a primary that was lost, before the
/// renewal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ran_out_stays_out() {
    for renewed in [false, true] {
        let site = Site::start().await;
        let mut token = site.run("", "login alice; write n 1").await.token.unwrap();
        if renewed {
            token = site.run(&token, "renew").await.token.unwrap();
        }
        for n in 0..10 {
            site.run(&token, &format!("write n {n}")).await;
        }
        site.drain().await;
        assert_eq!(site.snapshots(10).await, 1);
        let sql = "INSERT INTO cloakroom.session_event
                       (event_id, occurred_at, namespace, ref, kind, reason, schema_version, shard, stream_id)
                   SELECT gen_random_uuid(), now(), namespace, ref, 'ended', 'idle', schema_version, shard, '1-1'
                   FROM cloakroom.session_event WHERE version = 1";
        site.sql(sql).await;
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().run().await.unwrap();
        assert_eq!((report.restored, report.ended), (0, 1), "{report:?}");
        assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
        assert_eq!(site.snapshots(1).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_past_keeping_goes_with_its_last_row() {
    let site = Site::start().await;
    long(&site).await;
    site.sql("UPDATE cloakroom.session_snapshot SET last_ms = 1").await;
    audit::retain(&site.pool, 12).await.unwrap();
    assert_eq!(site.sql("SELECT FROM cloakroom.session_snapshot").await, 1, "it has rows");
    site.sql("DELETE FROM cloakroom.session_event").await;
    audit::retain(&site.pool, 12).await.unwrap();
    assert_eq!(site.sql("SELECT FROM cloakroom.session_snapshot").await, 0);
}
