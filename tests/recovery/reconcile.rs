//! Redis and the trail tell the same, or it is said which session does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    audit::{
        AuditWriter,
        verify::{Discrepancy, VerifyReport},
    },
    id::Token,
};

use crate::{
    forks::acknowledged_and_forgotten,
    meta,
    site::{Site, key, until},
};

/// Some who are as they should be, and a token of one.
async fn site() -> (Site, String) {
    let site = Site::start().await;
    site.run("", "write cart 1").await;
    let gone = site.run("", "login gone").await.token.unwrap();
    site.run(&gone, "logout").await;
    let moved = site.run("", "login moved; write n 1; secret otp 1").await.token.unwrap();
    let moved = site.run(&moved, "renew; inc n").await.token.unwrap();
    site.run(&moved, "prove key; push list 1.50").await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    site.run(&token, "write n 2").await;
    (site, token)
}

/// The key of alice's session.
fn session(site: &Site) -> String {
    let hers = |key: &String| key.contains(":s:") && meta::user(&site.redis(&["HGET", key, "m"])) == "alice";
    site.keys().into_iter().find(hers).unwrap()
}

fn reference(token: &str) -> String {
    Token::parse(token.as_bytes()).unwrap().address().reference.to_string()
}

/// Exactly one problem, and of this session.
fn only(report: &VerifyReport, token: &str) -> Discrepancy {
    let [problem] = &report.problems[..] else { panic!("{report:?}") };
    assert_eq!(problem.session.to_string(), reference(token));
    assert!(!report.is_sound());
    assert!(problem.to_string().contains(&reference(token)));
    problem.kind.clone()
}

/// Takes the newest entry of each stream that has one.
fn lose_what_waits(site: &Site) {
    let streams: Vec<String> = site.keys().into_iter().filter(|key| key.ends_with(":audit")).collect();
    for stream in streams {
        site.redis(&["XTRIM", &stream, "MAXLEN", "0"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_well_whether_it_waits_or_is_stored() {
    let (site, token) = site().await;
    // Nothing is stored yet: the trail knows nobody, and the queue everybody.
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.sessions, report.alive), (0, 0));
    site.drain().await;
    let before = site.redis(&["PTTL", &session(&site)]).parse::<u64>().unwrap();
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.sessions, report.alive, report.waiting), (4, 3, 0), "{report:?}");
    assert!(report.trail.signed_seals > 0 && report.trail.rows == 8, "{report:?}");
    let after = site.redis(&["PTTL", &session(&site)]).parse::<u64>().unwrap();
    assert!(after <= before, "being looked at is no use");
    // Changes, renewals and ends that wait.
    let token = site.run(&token, "renew; write n 3").await.token.unwrap();
    site.run(&token, "write n 4").await;
    let bob = site.run("", "login bob").await.token.unwrap();
    site.drain().await;
    let token = site.run(&token, "renew; write n 5").await.token.unwrap();
    site.run(&token, "write n 6").await;
    site.run(&bob, "logout").await;
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.waiting, 2, "{report:?}");
    // And after a loss and a recovery, whose own entries wait.
    site.lose().await;
    site.recovery().run().await.unwrap();
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    site.drain().await;
    let report = site.verify().run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_entries_were_lost_is_behind() {
    let (site, token) = site().await;
    site.drain().await;
    site.run(&token, "write n 3").await;
    lose_what_waits(&site);
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Behind { trail: 2, redis: Some(3) });
    // One after it waits: the lost one is a gap to be.
    site.run(&token, "write n 4").await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Behind { trail: 2, redis: Some(4) });
    site.drain().await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Gapped(vec![(3, 3)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_lost_is_behind() {
    let (site, token) = site().await;
    site.drain().await;
    site.run(&token, "logout").await;
    lose_what_waits(&site);
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Behind { trail: 2, redis: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_trail_never_heard_of_is_named_by_its_key() {
    let (site, _) = site().await;
    site.drain().await;
    site.run("", "login eve").await;
    lose_what_waits(&site);
    let report = site.verify().run().await.unwrap();
    assert_eq!((report.untold.len(), report.problems.len()), (1, 0), "{report:?}");
    assert_eq!(meta::user(&site.redis(&["HGET", &report.untold[0], "m"])), "eve");
    assert!(!report.is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_forgot_is_ahead() {
    let (site, token) = site().await;
    let hash = session(&site);
    acknowledged_and_forgotten(&site, &hash, &token, "write n 3").await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Ahead { trail: 3, redis: Some(2) });
    site.redis(&["DEL", &hash]);
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Ahead { trail: 3, redis: None });
    // Whoever may have idled out is no loss.
    let report = site.verify().idle_timeout(Duration::ZERO).run().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_histories_of_one_session_are_forked() {
    let (site, token) = site().await;
    let hash = session(&site);
    acknowledged_and_forgotten(&site, &hash, &token, "write n 3").await;
    site.run(&token, "write n 30").await;
    // Before the new branch is stored, and after.
    for _ in 0..2 {
        let report = site.verify().run().await.unwrap();
        assert!(matches!(only(&report, &token), Discrepancy::Forked(ends) if ends.len() == 1), "{report:?}");
        site.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_missing_make_a_gap_or_no_beginning() {
    let (site, token) = site().await;
    site.run(&token, "write n 3").await;
    site.drain().await;
    assert_eq!(
        site.sql("DELETE FROM cloakroom.session_event WHERE user_id = 'alice' AND version = 2").await,
        1
    );
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Gapped(vec![(2, 2)]));
    assert_eq!(report.trail.findings.len(), 1, "its seal misses it, too: {report:?}");
    site.sql("DELETE FROM cloakroom.session_event WHERE user_id = 'alice' AND version = 1").await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::BeginningMissing);
    // The newest row: then Redis is further.
    let (site, token) = self::site().await;
    site.drain().await;
    site.sql("DELETE FROM cloakroom.session_event WHERE user_id = 'alice' AND version = 2").await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::Behind { trail: 1, redis: Some(2) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_row_names_its_session() {
    let (site, token) = site().await;
    site.drain().await;
    // A row of the past: what Redis has does not tell.
    let sql = "UPDATE cloakroom.session_event SET delta = '{\"set\": {\"n\": 7}}' WHERE user_id = 'alice' AND version = 1";
    assert_eq!(site.sql(sql).await, 1);
    let report = site.verify().run().await.unwrap();
    assert!(matches!(only(&report, &token), Discrepancy::Edited(rows) if rows.len() == 1), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_values_in_redis_are_told_by_their_keys() {
    let (site, token) = site().await;
    site.drain().await;
    let hash = session(&site);
    let held = site.redis(&["HGET", &hash, "p"]);
    site.redis(&["HSET", &hash, "p", &format!("{held}{}", meta::small(1, "role", "\"admin\""))]);
    let report = site.verify().run().await.unwrap();
    let Discrepancy::Differs(keys) = only(&report, &token) else { panic!("{report:?}") };
    assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), ["role"]);
    site.redis(&["HSET", &hash, "p", &held]);
    assert!(site.verify().run().await.unwrap().is_sound());
    let held = site.redis(&["HGET", &hash, "m"]);
    site.redis(&["HSET", &hash, "m", &meta::with_user(&held, "root")]);
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::OtherUser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_lives_on_after_its_end_is_told() {
    let (site, token) = site().await;
    let hash = session(&site);
    acknowledged_and_forgotten(&site, &hash, &token, "logout").await;
    let report = site.verify().run().await.unwrap();
    assert_eq!(only(&report, &token), Discrepancy::AliveThoughEnded);
}

/// Visitors come, a writer drains, and nothing is ever called wrong that is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wrong_while_everything_moves() {
    let site = Arc::new(site().await.0);
    let over = Arc::new(AtomicBool::new(false));
    let writer = AuditWriter::new(site.store.audit_queue(), site.pool.clone()).seal(Some(key()));
    let stop = writer.stop_handle();
    let writing = tokio::spawn(writer.run());
    let mut visitors = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (site, over) = (site.clone(), over.clone());
        visitors.spawn(async move {
            // Bounded, so that what is to be verified does not grow faster than it is.
            for _ in 0..100 {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let token = site.run("", &format!("login visitor-{n}; inc n")).await.token.unwrap();
                site.run(&token, "inc n; push list 1").await;
                let token = site.run(&token, "renew; inc n").await.token.unwrap();
                site.run(&token, "inc n").await;
                let token = site.run(&token, "prove key").await.token.unwrap();
                site.run(&token, "take flash; logout").await;
                site.run("", "write cart 1").await;
            }
        });
    }
    let (mut looks, mut before) = (0, None);
    until("sessions came while it was looked at", async || {
        let report = site.verify().run().await.unwrap();
        assert!(report.is_sound(), "{report:?}");
        looks += 1;
        let before = *before.get_or_insert(report.sessions);
        looks >= 10 && before < report.sessions
    })
    .await;
    over.store(true, Ordering::Release);
    while let Some(visitor) = visitors.join_next().await {
        visitor.unwrap();
    }
    stop.stop();
    writing.await.unwrap();
}
