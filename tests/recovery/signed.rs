//! Somebody changes a snapshot, and is found out.

use std::time::Duration;

use cloakroom::audit::{
    Snapshots, Verify,
    seal::{SealKey, SealPublicKey},
    verify::{Discrepancy, VerifyReport},
};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::site::{Site, key};

fn public() -> [SealPublicKey; 1] {
    [key().public()]
}

fn snapshots(site: &Site) -> Snapshots {
    Snapshots::new(site.pool.clone(), "shop").every(5).settle(Duration::ZERO)
}

/// A session of seven versions; in all of them its role is "guest".
async fn session(site: &Site) -> String {
    let token = site.run("", "login alice; write role \"guest\"; write n 0").await.token.unwrap();
    for _ in 0..6 {
        site.run(&token, "inc n").await;
    }
    site.drain().await;
    token
}

async fn verified(site: &Site) -> Vec<Discrepancy> {
    let report = site.verify().run().await.unwrap();
    assert!(report.trail.findings.is_empty(), "{report:?}");
    kinds(report)
}

fn kinds(report: VerifyReport) -> Vec<Discrepancy> {
    report.problems.into_iter().map(|problem| problem.kind).collect()
}

/// Rows that a recovery with the key reads, and snapshots that it takes. It changes nothing.
async fn taken(site: &Site) -> (u64, u64) {
    let report = site.recovery().snapshots_signed_by(public()).dry_run().run().await.unwrap();
    assert_eq!(report.sessions, report.restored + report.present, "{report:?}");
    (report.rows, report.since_snapshots)
}

const PROMOTED: &str = r#"UPDATE cloakroom.session_snapshot
    SET state = convert_to(replace(convert_from(state, 'UTF8'), '\"guest\"', '\"admin\"'), 'UTF8')"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_was_changed_is_named_and_not_restored() {
    for signed in [true, false] {
        let site = Site::start().await;
        let token = session(&site).await;
        assert_eq!(if signed { site.signed_snapshots(5).await } else { site.snapshots(5).await }, 1);
        site.run(&token, "inc n").await;
        site.drain().await;
        let unsigned = [Discrepancy::SnapshotNotSigned(vec![7])];
        assert_eq!(verified(&site).await, if signed { &[] } else { &unsigned[..] });
        assert_eq!(taken(&site).await, if signed { (1, 1) } else { (8, 0) });

        assert_eq!(site.sql(PROMOTED).await, 1);
        let named = verified(&site).await;
        assert!(named.contains(&Discrepancy::SnapshotEdited(vec![7])), "{named:?}");
        // Without a key the rows tell, as long as they are there.
        let keyless = Verify::new(&site.store, site.pool.clone()).run().await.unwrap();
        let edited = Discrepancy::SnapshotEdited(vec![7]);
        assert_eq!(kinds(keyless), [edited]);
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().snapshots_signed_by(public()).run().await.unwrap();
        assert_eq!((report.rows, report.since_snapshots, report.restored), (8, 0, 1), "{report:?}");
        assert_eq!(site.run(&token, "read role; read n").await.told, [json!("\"guest\""), json!("7")]);
        // Whoever gives no key takes what is there.
        site.drain().await;
        site.redis(&["FLUSHALL"]);
        site.recovery().run().await.unwrap();
        assert_eq!(site.run(&token, "read role").await.told, [json!("\"admin\"")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_changed_makes_the_signature_wrong() {
    let site = Site::start().await;
    session(&site).await;
    assert_eq!(site.signed_snapshots(5).await, 1);
    assert_eq!(taken(&site).await, (0, 1));
    let other = "decode(repeat('ab', 32), 'hex')";
    for change in [
        format!("refs = refs || {other}"),
        "user_id = 'bob'".into(),
        "user_id = NULL".into(),
        "last_ms = last_ms - 1".into(),
        "settled_us = settled_us + 1".into(),
        "state = state || convert_to(' ', 'UTF8')".into(),
        "state = ''".into(),
        "version = version - 1".into(),
        "namespace = 'elsewhere'".into(),
        format!("root = {other}"),
        "key_id = '2025'".into(),
        "key_id = NULL".into(),
        "signature = NULL".into(),
        "signature = set_byte(signature, 9, get_byte(signature, 9) # 1)".into(),
    ] {
        let keep = "CREATE TABLE kept AS TABLE cloakroom.session_snapshot";
        sqlx::query(keep).execute(&site.pool).await.unwrap();
        let sql = format!("UPDATE cloakroom.session_snapshot SET {change}");
        sqlx::query(AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
        assert_eq!(taken(&site).await, (7, 0), "{change}");
        // In another namespace there is no such session.
        let named = verified(&site).await;
        assert_eq!(named.is_empty(), change.starts_with("namespace"), "{change}: {named:?}");
        sqlx::query("DELETE FROM cloakroom.session_snapshot").execute(&site.pool).await.unwrap();
        sqlx::query("INSERT INTO cloakroom.session_snapshot TABLE kept").execute(&site.pool).await.unwrap();
        sqlx::query("DROP TABLE kept").execute(&site.pool).await.unwrap();
        assert_eq!(taken(&site).await, (0, 1), "{change}");
    }
}

/// One that is forged stands in nobody's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_snapshot_is_passed_over() {
    let site = Site::start().await;
    session(&site).await;
    assert_eq!(site.signed_snapshots(5).await, 1);
    let sql = r#"INSERT INTO cloakroom.session_snapshot (namespace, root, version, refs, user_id, last_ms, settled_us, state, key_id, signature)
        SELECT namespace, root, 1000, refs, user_id, last_ms, settled_us,
            convert_to(replace(convert_from(state, 'UTF8'), '"version":7', '"version":1000'), 'UTF8'), key_id, signature
        FROM cloakroom.session_snapshot"#;
    assert_eq!(site.sql(sql).await, 1);
    assert_eq!(taken(&site).await, (0, 1), "the older one");
    assert_eq!(verified(&site).await, [Discrepancy::SnapshotEdited(vec![1000])]);
    // No row has that version.
    let keyless = Verify::new(&site.store, site.pool.clone()).run().await.unwrap();
    assert_eq!(kinds(keyless), [Discrepancy::SnapshotEdited(vec![1000])]);
}

/// Whoever signs reads rows, and not what nobody signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_signed_is_not_signed_after_it_was_changed() {
    for changed_at_last in [true, false] {
        let site = Site::start().await;
        let token = session(&site).await;
        assert_eq!(site.snapshots(5).await, 1);
        assert_eq!(site.sql(PROMOTED).await, 1);
        if !changed_at_last {
            // It would go on from there.
            for _ in 0..5 {
                site.run(&token, "inc n").await;
            }
            site.drain().await;
        }
        // In its place, or after it.
        assert_eq!(site.signed_snapshots(5).await, 1);
        assert_eq!(site.signed_snapshots(5).await, 0);
        let left = if changed_at_last {
            vec![]
        } else {
            vec![Discrepancy::SnapshotEdited(vec![7]), Discrepancy::SnapshotNotSigned(vec![7])]
        };
        assert_eq!(verified(&site).await, left);
        site.redis(&["FLUSHALL"]);
        let report = site.recovery().snapshots_signed_by(public()).run().await.unwrap();
        assert_eq!((report.rows, report.since_snapshots, report.restored), (0, 1, 1), "{report:?}");
        assert_eq!(site.run(&token, "read role").await.told, [json!("\"guest\"")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_can_be_changed() {
    let site = Site::start().await;
    let token = session(&site).await;
    assert_eq!(site.signed_snapshots(5).await, 1);
    for _ in 0..5 {
        site.run(&token, "inc n").await;
    }
    site.drain().await;
    let next = || SealKey::new("2027", [8; 32]);
    // Another key of the same name is another key.
    let mistaken = snapshots(&site).sealed_by(next()).signed_by([SealKey::new("2026", [9; 32]).public()]);
    let report = snapshots(&site).sealed_by(next()).signed_by(public()).run().await.unwrap();
    assert_eq!((report.rows, report.made), (5, 1));
    let report = mistaken.run().await.unwrap();
    assert_eq!((report.rows, report.made), (0, 0), "{report:?}");
    let recovery = || site.recovery().dry_run();
    let report = recovery().snapshots_signed_by([next().public()]).run().await.unwrap();
    assert_eq!((report.rows, report.since_snapshots), (0, 1));
    let report = recovery().snapshots_signed_by(public()).run().await.unwrap();
    assert_eq!((report.rows, report.since_snapshots), (5, 1), "the one before");
    let report =
        recovery().snapshots_signed_by([SealKey::new("2027", [9; 32]).public()]).run().await.unwrap();
    assert_eq!((report.rows, report.since_snapshots), (12, 0));
    let report = recovery().snapshots_signed_by([]).run().await.unwrap();
    assert_eq!((report.rows, report.since_snapshots), (12, 0));
}
