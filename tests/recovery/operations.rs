//! Every operation, and every field of every session byte for byte.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use crate::{
    meta,
    site::{Site, database},
};

/// A session's hash as Redis has it.
type Hash = BTreeMap<String, Vec<u8>>;

/// Steps that any session can take at any time: each key holds one sort of value.
const STEPS: [&str; 22] = [
    "inc count",
    "inc count",
    "max most 40",
    "max most 7",
    "push list {\"b\":1,\"a\":[2,\"],\"]}",
    "push list \"two words\"",
    "push list 1.50",
    "put set {\"id\":1}",
    "put set {\"id\":2}",
    "drop set {\"id\":1}",
    "drop never 1",
    "update sum",
    "write plain \"a\\u0000b\"",
    "write plain {\"zz\":1,\"a\":{}}",
    "write flash 3",
    "write flash [\"x\"]",
    "take flash",
    "remove plain",
    "secret otp 1",
    "secretly otp",
    "clear; inc count",
    "clear; put set {\"id\":3}",
];

/// Steps that give a new token.
const MOVES: [&str; 3] = ["renew", "prove hardware-key", "renew; inc count"];

/// The same sequence in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// All sessions, by the rest of their keys.
async fn hashes(site: &Site) -> BTreeMap<String, Hash> {
    let client = redis::Client::open(site.redis.lock().unwrap().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut all = BTreeMap::new();
    for key in site.keys().into_iter().filter(|key| key.contains(":s:")) {
        let hash: Hash = redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await.unwrap();
        all.insert(key, hash);
    }
    all
}

/// The second halves of all events that the session remembers.
fn remembered(hash: &Hash) -> Vec<u8> {
    let older = hash.get("older").map_or(&[][..], |older| {
        let space = older.iter().position(|byte| *byte == b' ').unwrap();
        &older[space + 1..]
    });
    let heads = &hash["h"];
    let (_, _, recent) = meta::heads(heads);
    let newer = &heads[heads.len() - recent * 8..];
    newer.chunks(8).chain(older.chunks(8)).collect::<Vec<_>>().into_iter().rev().flatten().copied().collect()
}

/// Versions and values of all keys that are no secrets, and whether they stand together or by themselves.
fn values(hash: &Hash) -> (BTreeMap<String, (u64, String)>, Hash) {
    let mut small = meta::values(&hash["p"]);
    small.retain(|_, (version, _)| *version >> 47 == 0);
    let plain = |(name, value): &(&String, &Vec<u8>)| name.starts_with('.') && value[0] & 0x80 == 0;
    (small, hash.iter().filter(plain).map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// What came back, against what was there: one version more, by the event that put it back.
fn assert_same(before: &Hash, after: &Hash, key: &str) {
    let ((version, head, _), (was, before_head, _)) = (meta::heads(&after["h"]), meta::heads(&before["h"]));
    assert_eq!(version, was + 1, "{key}");
    assert_ne!(head, before_head, "{key}: the event that put it back");
    // The script's clock and the stream's may show two milliseconds.
    let text = |hash: &Hash| String::from_utf8(hash["m"].clone()).unwrap();
    let (was, is) = (text(before), text(after));
    for place in [meta::CREATED, meta::DEADLINE, meta::AUTHENTICATED] {
        match (meta::word(&was, place), meta::word(&is, place)) {
            ("-", other) => assert_eq!(other, "-", "{key} {place}"),
            _ => assert!(meta::number(&is, place).abs_diff(meta::number(&was, place)) < 5, "{key} {place}"),
        }
    }
    for place in [meta::CLASS, meta::EPOCH] {
        assert_eq!(meta::word(&is, place), meta::word(&was, place), "{key} {place}");
    }
    assert_eq!(meta::user(&is), meta::user(&was), "{key}");
    assert_eq!(meta::method(&is), meta::method(&was), "{key}");
    let (was, is) = (remembered(before), remembered(after));
    let kept = is.len() - 8;
    assert!(kept == was.len() || kept >= 31 * 8, "{key}: {kept} of {}", was.len());
    assert_eq!(is[..kept], was[was.len() - kept..], "{key}");
    assert_eq!(values(after), values(before), "{key}");
    assert!(!meta::values(&after["p"]).contains_key("otp"), "{key}: a secret that was in the trail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_comes_back_with_the_value_and_the_version_it_had() {
    everything_comes_back(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_it_does_from_a_snapshot_in_the_middle() {
    everything_comes_back(true).await;
}

async fn everything_comes_back(snapshots: bool) {
    let site = Site::start().await;
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut tokens = Vec::new();
    for visitor in 0..24 {
        let first = ["write first 1", "inc count", "put set {\"id\":1}; push list 1"][visitor % 3];
        let mut token = site.run("", first).await.token.unwrap();
        if visitor % 4 > 0 {
            let login = if visitor % 4 == 1 { "login" } else { "adopt" };
            let more = STEPS[dice.below(STEPS.len())];
            token = site.run(&token, &format!("{login} user-{visitor}; {more}")).await.token.unwrap();
        }
        for step in 0..3 + dice.below(60) {
            if snapshots && step == 12 {
                site.drain().await;
                site.snapshots(10).await;
            }
            let steps: Vec<&str> = (0..1 + dice.below(3)).map(|_| STEPS[dice.below(STEPS.len())]).collect();
            let more = STEPS[dice.below(14)];
            match dice.below(12) {
                0 if visitor % 4 > 0 => {
                    let step = MOVES[dice.below(MOVES.len())];
                    token = site.run(&token, step).await.token.unwrap();
                }
                // Two at a time: one of them may be merged over the other, or told of a conflict.
                1..4 => {
                    let steps = steps.join(";");
                    let (one, other) = tokio::join!(site.app.run(&token, &steps), site.app.run(&token, more));
                    for answer in [one, other] {
                        assert!(answer.status == 200 || answer.status == 409, "{answer:?}");
                    }
                }
                _ => {
                    site.run(&token, &steps.join(";")).await;
                }
            }
        }
        tokens.push(token);
    }
    // A few requests into its new life each, so that no renewal is under way.
    for token in &tokens {
        site.run(token, "inc count").await;
    }
    let before = hashes(&site).await;
    assert_eq!(before.len(), 24);
    site.lose().await;
    let told: Vec<String> = sqlx::query_scalar("SELECT DISTINCT kind FROM cloakroom.session_event")
        .fetch_all(&site.pool)
        .await
        .unwrap();
    for kind in ["created", "signed_in", "changed", "renewed", "reauthenticated", "ended"] {
        assert!(told.iter().any(|told| told == kind), "{kind} is among them");
    }
    let report = site.recovery().run().await.unwrap();
    assert_eq!(report.restored, 24, "{report:?}");
    assert_eq!(report.since_snapshots > 12, snapshots, "{report:?}");
    let after = hashes(&site).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (key, hash) in &after {
        assert_same(&before[key], hash, key);
    }

    // And once more, now over the entries of the recovery.
    for token in &tokens {
        site.run(token, "inc count; take flash; push list 9").await;
    }
    if snapshots {
        site.drain().await;
        assert_eq!(site.snapshots(1).await, 24);
        for token in &tokens {
            site.run(token, "inc count").await;
        }
    }
    let before = hashes(&site).await;
    site.lose().await;
    assert_eq!(site.recovery().run().await.unwrap().restored, 24);
    for (key, hash) in &hashes(&site).await {
        assert_same(&before[key], hash, key);
    }
}

/// A burst of commits, a loss, a recovery: a request from before still finds its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_seconds_events_are_known_again() {
    let site = Site::start().await;
    let token = site.run("", "login alice").await.token.unwrap();
    for _ in 0..100 {
        site.run(&token, "inc n").await;
    }
    let before = hashes(&site).await;
    site.lose().await;
    site.recovery().run().await.unwrap();
    for (key, hash) in &hashes(&site).await {
        assert_same(&before[key], hash, key);
        assert_eq!(remembered(hash).len(), 102 * 8);
    }
}

/// A token that was given up is used again, and the session ends for it: that end is one, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_a_replay_ended_stays_out() {
    let site = Site::with(&database(), Duration::from_secs(3600)).await;
    let old = site.run("", "login alice; write n 1").await.token.unwrap();
    let new = site.run(&old, "renew").await.token.unwrap();
    let moved = site.keys().into_iter().find(|key| key.contains(":x:")).unwrap();
    site.redis(&["HSET", &moved, "until", "1"]);
    site.app.run(&old, "user").await;
    assert_eq!(site.run(&new, "ended").await.told, [json!("replayed")]);
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (0, 1), "{report:?}");
    assert_eq!(site.run(&new, "user; ended").await.told, [json!(null), json!("replayed")]);
}
