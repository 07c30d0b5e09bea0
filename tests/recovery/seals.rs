//! Whoever can write into the table changes it, and is found out.

use cloakroom::audit::{
    recovery::ProblemKind,
    seal::{self, Finding, Seal, SealKey, SealPublicKey, TrailRow, Verification, Verifier, erase},
};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::site::{Site, key};

/// Sessions with all that a row can hold, in several batches.
async fn site() -> Site {
    let site = Site::start().await;
    let alice = site.run("", "write n 1").await.token.unwrap();
    let alice = site.run(&alice, "adopt alice; write note \"hers\"").await.token.unwrap();
    site.drain().await;
    site.run(&alice, "inc count; write float 1.5e3; write odd {\"name\":1,\"id\":2}; write nul \"\\u0000\"")
        .await;
    let alice = site.run(&alice, "renew; write half \"\\ud800\"").await.token.unwrap();
    let bob = site.run("", "phone bob; write note \"his\"").await.token.unwrap();
    site.drain().await;
    site.run(&alice, "prove key; remove note; secret otp 770").await;
    site.run(&bob, "logout").await;
    let carol = site.run("", "login carol; clear; write n 3").await.token.unwrap();
    site.lose().await;
    site.recovery().run().await.unwrap();
    site.run(&carol, "inc n").await;
    site.drain().await;
    site
}

async fn rows(site: &Site) -> Vec<TrailRow> {
    let sql = format!("{} ORDER BY random()", TrailRow::SELECT);
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&site.pool).await.unwrap()
}

async fn seals(site: &Site) -> Vec<Seal> {
    sqlx::query_as(Seal::SELECT).fetch_all(&site.pool).await.unwrap()
}

/// Without a connection.
fn offline(mut verifier: Verifier, seals: &[Seal], rows: &[TrailRow]) -> Verification {
    seals.iter().for_each(|seal| verifier.seal(seal.clone()));
    rows.iter().for_each(|row| {
        verifier.row(row);
    });
    verifier.finish()
}

fn trusting() -> Verifier {
    Verifier::new().key(key().public())
}

async fn findings(site: &Site) -> Vec<Finding> {
    seal::check(&site.pool, trusting()).await.unwrap().findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_that_nobody_touched_verifies_with_and_without_a_connection() {
    let site = site().await;
    let (rows, seals) = (rows(&site).await, seals(&site).await);
    let told = offline(trusting(), &seals, &rows);
    assert_eq!(told.findings, []);
    assert_eq!((told.rows, told.unsealed_rows), (rows.len() as u64, 0));
    assert!(told.signed_seals >= 4 && told.signed_seals == seals.len() as u64, "{told:?}");
    assert!(rows.iter().any(|row| row.flags != 0) && rows.iter().any(|row| row.kind == "recovered"));
    assert_eq!(seal::check(&site.pool, trusting()).await.unwrap(), told);
    // The public key alone is enough, and goes through a file.
    let public = SealPublicKey::new("2026", key().public().to_bytes()).unwrap();
    assert_eq!(offline(Verifier::new().key(public), &seals, &rows), told);
}

/// One byte of one column, whichever it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_byte_of_any_column_names_its_row() {
    let site = site().await;
    let (rows, seals) = (rows(&site).await, seals(&site).await);
    type Edit = (&'static str, fn(&mut TrailRow) -> bool);
    fn text(value: &mut Option<String>) -> bool {
        value.as_mut().is_some_and(|text| {
            let last = text.pop();
            text.push(if last == Some('x') { 'y' } else { 'x' });
            true
        })
    }
    fn bytes(value: &mut Option<Vec<u8>>) -> bool {
        value.as_mut().and_then(|bytes| bytes.last_mut()).map(|byte| *byte ^= 1).is_some()
    }
    fn number(value: &mut i64) -> bool {
        *value ^= 1;
        true
    }
    fn small(value: &mut i16) -> bool {
        *value ^= 8;
        true
    }
    let edits: [Edit; 31] = [
        ("namespace", |row| row.namespace.pop().is_some()),
        ("occurred_at", |row| number(&mut row.occurred_us)),
        ("ref", |row| bytes(&mut row.reference)),
        ("version", |row| row.version.as_mut().is_some_and(number)),
        ("version gone", |row| row.version.take().is_some()),
        ("prev_event_id", |row| row.prev_event_id.take().is_some()),
        ("kind", |row| row.kind.pop().is_some()),
        ("reason", |row| text(&mut row.reason)),
        ("user_id", |row| text(&mut row.user_id)),
        ("user_id gone", |row| row.user_id.take().is_some()),
        ("auth_method", |row| text(&mut row.auth_method)),
        ("device", |row| text(&mut row.device)),
        ("device gone", |row| row.device.take().is_some()),
        ("related", |row| bytes(&mut row.related)),
        ("lifetime_ms", |row| row.lifetime_ms.as_mut().is_some_and(number)),
        ("idle_class", |row| row.idle_class.take().is_some()),
        ("method", |row| text(&mut row.method)),
        ("route added", |row| row.route.replace("/admin".into()).is_none_or(|was| was != "/admin")),
        ("client_ip added", |row| row.client_ip.replace("203.0.113.9/32".into()).is_none()),
        ("user_agent added", |row| row.user_agent.replace("x".into()).is_none()),
        ("trace_id added", |row| row.trace_id.replace("x".into()).is_none()),
        ("schema_version", |row| small(&mut row.schema_version)),
        ("flags", |row| small(&mut row.flags)),
        ("delta gone", |row| row.delta.take().is_some()),
        ("delta_raw", |row| bytes(&mut row.delta_raw)),
        ("shard", |row| small(&mut row.shard)),
        ("stream_id", |row| row.stream_id.pop().is_some()),
        ("ingested_at", |row| number(&mut row.ingested_us)),
        ("value_salt", |row| bytes(&mut row.value_salt)),
        ("value_hash", |row| bytes(&mut row.value_hash)),
        ("row_hash", |row| bytes(&mut row.row_hash)),
    ];
    for (name, edit) in edits {
        let mut tried = 0;
        for place in 0..rows.len() {
            let mut rows = rows.clone();
            if !edit(&mut rows[place]) {
                continue;
            }
            tried += 1;
            let event_id = rows[place].event_id;
            let told = offline(trusting(), &seals, &rows);
            assert_eq!(told.findings, [Finding::RowEdited { event_id }], "{name}");
        }
        // Nobody asked with a method or an agent here: what is not there can't be changed.
        assert!(tried > 0 || name == "method", "{name}");
    }
    // The name itself: then there is one row less, and one that was never sealed.
    let mut edited = rows.clone();
    edited[0].event_id = Uuid::now_v7();
    assert!(!offline(trusting(), &seals, &edited).findings.is_empty());
}

/// Every place of the values, byte by byte, as a hand in the table would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_in_the_table_names_its_row() {
    let site = site().await;
    let event_id: Uuid = sqlx::query_scalar(
        "UPDATE cloakroom.session_event SET delta = jsonb_set(delta, '{set,note}', '\"hiz\"')
         WHERE delta->'set'->>'note' = 'his' RETURNING event_id",
    )
    .fetch_one(&site.pool)
    .await
    .unwrap();
    assert_eq!(findings(&site).await, [Finding::RowEdited { event_id }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_deleted_row_is_missed_and_one_added_is_seen() {
    let site = site().await;
    let (rows, seals) = (rows(&site).await, seals(&site).await);
    for place in 0..rows.len() {
        let mut less = rows.clone();
        let gone = less.remove(place);
        let found = offline(trusting(), &seals, &less).findings;
        let [Finding::RowsMissing { seal, missing: 1, first_us, last_us }] = found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(Some(seal), gone.seal);
        assert!(first_us <= gone.occurred_us && gone.occurred_us <= last_us);

        // The same row under another name and seal, with hashes that fit: it was not there.
        let mut more = rows.clone();
        more.push(TrailRow {
            seal: None,
            row_hash: None,
            value_hash: None,
            event_id: Uuid::now_v7(),
            ..gone
        });
        let found = offline(trusting(), &seals, &more).findings;
        assert!(matches!(found[..], [Finding::RowWithoutSeal { .. }]), "{found:?}");
    }
    let mut twice = rows.clone();
    twice.push(rows[0].clone());
    let found = offline(trusting(), &seals, &twice).findings;
    assert!(matches!(found[..], [Finding::RowsAdded { added: 1, .. }]), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seals_can_be_neither_taken_nor_changed_nor_made_anew() {
    let site = site().await;
    // A writer with more than one seal, so that its chain has a middle.
    for _ in 0..3 {
        site.run("", "login dave").await;
    }
    site.drain().await;
    let (rows, seals) = (rows(&site).await, seals(&site).await);
    for place in 0..seals.len() {
        let mut less = seals.clone();
        let gone = less.remove(place);
        let found = offline(trusting(), &less, &rows).findings;
        assert!(found.iter().any(|f| matches!(f, Finding::RowOfNoSeal { seal, .. } if *seal == gone.seal)));
        // With its rows: the next chain names it, unless it was the last of all.
        let others: Vec<_> = rows.iter().filter(|row| row.seal != Some(gone.seal)).cloned().collect();
        let found = offline(trusting(), &less, &others).findings;
        let named = seals.iter().any(|seal| seal.prev_hash.as_deref() == Some(&gone.hash[..]));
        let missed = found
            .iter()
            .any(|finding| matches!(finding, Finding::ChainBroken { .. } | Finding::SealMissing { .. }));
        assert_eq!(missed, named, "{found:?}");
        // Kept elsewhere, its hash is missed even at the end.
        let found = offline(trusting().anchor(gone.hash.clone()), &less, &others).findings;
        assert!(found.contains(&Finding::AnchorMissing { hash: gone.hash }));

        let edits: [fn(&mut Seal); 5] = [
            |seal| seal.rows += 1,
            |seal| seal.first_us += 1,
            |seal| seal.root[0] ^= 1,
            |seal| seal.sealed_us += 1,
            |seal| seal.prev_hash = Some(vec![0; 32]),
        ];
        for edit in edits {
            let mut edited = seals.clone();
            edit(&mut edited[place]);
            let found = offline(trusting(), &edited, &rows).findings;
            assert!(found.contains(&Finding::SealEdited { seal: edited[place].seal }), "{found:?}");
        }
        let mut unsigned = seals.clone();
        unsigned[place].signature = None;
        let seal = unsigned[place].seal;
        assert_eq!(offline(trusting(), &unsigned, &rows).findings[0], Finding::NotSigned { seal });
        let mut forged = seals.clone();
        forged[place].signature.as_mut().unwrap()[9] ^= 1;
        assert!(offline(trusting(), &forged, &rows).findings.contains(&Finding::BadSignature { seal }));
    }
    // Everything made anew, by another key under the same name.
    let impostor = SealKey::new("2026", [8; 32]).public();
    let found = offline(Verifier::new().key(impostor), &seals, &rows).findings;
    assert_eq!(found.len(), seals.len());
    assert!(found.iter().all(|finding| matches!(finding, Finding::BadSignature { .. })));
    let other = SealKey::new("2027", [7; 32]).public();
    let found = offline(Verifier::new().key(other), &seals, &rows).findings;
    assert!(found.iter().all(|finding| matches!(finding, Finding::UnknownKey { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_users_values_are_erased_and_the_trail_still_verifies() {
    let site = site().await;
    let before = rows(&site).await;
    let erased = erase(&site.pool, "shop", "alice").await.unwrap();
    let after = rows(&site).await;
    let told = offline(trusting(), &seals(&site).await, &after);
    assert_eq!(told.findings, []);
    assert_eq!((told.rows, told.erased_rows, erased.unsealed), (before.len() as u64, erased.rows, 0));
    assert!(erased.rows >= 6, "{erased:?}");
    for row in &after {
        let was = before.iter().find(|was| was.event_id == row.event_id).unwrap();
        let hers = was.user_id.as_deref() == Some("alice") || row.value_salt.is_none();
        assert_eq!(row.row_hash, was.row_hash);
        if hers {
            // What is left of her: no name, no value, and no salt with which to guess one.
            assert!(row.delta.is_none() && row.delta_raw.is_none() && row.value_salt.is_none());
            assert!(row.user_id.is_none() && row.auth_method.is_none() && row.device.is_none());
        } else {
            assert_eq!(row, was);
        }
    }
    let left: String = after.iter().map(|row| format!("{row:?}")).collect();
    assert!(!left.contains("alice") && !left.contains("hers") && left.contains("his"), "{left}");

    // Another loss: her session is left out and said to be erased, as is the one from which she signed in, and
    // the others come back.
    site.redis(&["FLUSHALL"]);
    let report = site.recovery().run().await.unwrap();
    let kinds: Vec<_> = report.problems.iter().map(|problem| &problem.kind).collect();
    assert_eq!(kinds, [&ProblemKind::Erased, &ProblemKind::Erased], "{report:?}");
    assert_eq!((report.restored, report.left_out, report.ended), (1, 1, 2), "{report:?}");
}

/// An erasure is not a way to take out what one does not like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_erasure_is_an_edit() {
    let site = site().await;
    for sql in [
        "UPDATE cloakroom.session_event SET delta = NULL WHERE user_id = 'carol' AND version = 1",
        "UPDATE cloakroom.session_event SET value_salt = NULL WHERE user_id = 'bob' AND version = 1",
    ] {
        sqlx::query(sql).execute(&site.pool).await.unwrap();
    }
    let found = findings(&site).await;
    assert!(matches!(found[..], [Finding::RowEdited { .. }, Finding::RowEdited { .. }]), "{found:?}");
}

/// Rows that come twice are under one seal, and none is sealed that was not new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_is_sealed_once() {
    let site = Site::start().await;
    for n in 0..20 {
        site.run("", &format!("login user-{n}; write n {n}")).await;
    }
    let streams: Vec<String> = site.keys().into_iter().filter(|key| key.ends_with(":audit")).collect();
    for (n, stream) in streams.iter().enumerate() {
        site.redis(&["COPY", stream, &format!("kept-{n}")]);
    }
    site.drain().await;
    let sealed = seals(&site).await.len();
    for (n, stream) in streams.iter().enumerate() {
        site.redis(&["DEL", stream]);
        site.redis(&["RENAME", &format!("kept-{n}"), stream]);
    }
    let new = site.run("", "login late").await.token.unwrap();
    site.drain().await;
    assert_eq!(findings(&site).await, []);
    let seals = seals(&site).await;
    assert_eq!(seals.iter().map(|seal| seal.rows).sum::<i32>(), 21);
    assert!(seals.len() > sealed);
    assert_eq!(site.run(&new, "user").await.told, [json!("late")]);
}
