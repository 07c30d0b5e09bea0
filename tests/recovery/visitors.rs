//! Every visitor finds what they left.

use std::time::Duration;

use cloakroom::audit::recovery::ProblemKind;
use serde_json::json;

use crate::site::{SHARDS, Site, database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_cookie_works_again_with_its_values_and_its_user() {
    let site = Site::start().await;
    // Whoever is not signed in.
    let guest = site.run("", "write cart [\"tea\"]").await.token.unwrap();
    site.run(&guest, "inc visits; write note 1; write gone 2").await;
    site.run(&guest, "inc visits; remove gone").await;
    // Signed in, with a value from before.
    let before = site.run("", "write cart [\"cup\"]").await.token.unwrap();
    let alice = site.run(&before, "login alice; write seen true").await.token.unwrap();
    site.run(&alice, "secret otp 770; write plan \"gold\"").await;
    // Renewed twice, and proved again.
    let bob = site.run("", "login bob; write n 1").await.token.unwrap();
    let bob_2 = site.run(&bob, "renew; write n 2").await.token.unwrap();
    let bob_3 = site.run(&bob_2, "renew").await.token.unwrap();
    let carol = site.run("", "login carol; write n 1").await.token.unwrap();
    let carol_2 = site.run(&carol, "prove hardware-key; write n 2").await.token.unwrap();
    site.run(&carol_2, "clear; write n 3").await;
    // Signed out.
    let dave = site.run("", "login dave").await.token.unwrap();
    site.run(&dave, "logout").await;

    site.lose().await;
    for token in [&guest, &alice, &bob_3, &carol_2] {
        assert_eq!(site.run(token, "version; ended").await.told, [json!(null), json!(null)]);
    }
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored, report.ended), (6, 4, 2), "{report:?}");
    assert_eq!((report.present, report.expired, report.left_out), (0, 0, 0), "{report:?}");
    assert_eq!(site.redis(&["HGET", "shop:meta", "shards"]), SHARDS.to_string(), "before any session");
    let problems: Vec<_> = report.problems.iter().map(|problem| &problem.kind).collect();
    let [ProblemKind::SecretsLost(keys)] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), ["otp"]);
    assert_eq!(report.problems[0].session.to_string(), reference(&alice));

    let told = site.run(&guest, "read cart; read visits; read note; read gone; user; version").await.told;
    assert_eq!(told, [json!("[\"tea\"]"), json!("2"), json!("1"), json!(null), json!(null), json!(4)]);
    let told = site.run(&alice, "user; method; keys; read seen; read otp").await.told;
    let expected = [json!("alice"), json!("passkey"), json!(["plan", "seen"]), json!("true"), json!(null)];
    assert_eq!(told, expected);
    assert_eq!(site.run(&bob_3, "user; read n").await.told, [json!("bob"), json!("2")]);
    let told = site.run(&carol_2, "user; method; read n").await.told;
    assert_eq!(told, [json!("carol"), json!("hardware-key"), json!("3")]);
    // Neither the tokens of before nor those who had left.
    for (token, reason) in [(&before, "replaced"), (&dave, "logged_out")] {
        assert_eq!(site.run(token, "user; ended").await.told, [json!(null), json!(reason)]);
    }
    for token in [&bob, &bob_2, &carol] {
        assert_eq!(site.run(token, "user").await.told, [json!(null)]);
    }

    // They go on as if nothing had been: the trail's chain has no gap.
    site.run(&guest, "inc visits").await;
    site.run(&carol_2, "logout").await;
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.ended), (3, 3), "{report:?}");
    assert_eq!(report.problems, [], "the secret is told as removed by now");
    assert_eq!(site.run(&guest, "read visits; version").await.told, [json!("3"), json!(6)]);
    assert_eq!(site.run(&carol_2, "ended").await.told, [json!("logged_out")]);
}

fn reference(token: &str) -> String {
    cloakroom::id::Token::parse(token.as_bytes()).unwrap().address().reference.to_string()
}

/// What `jsonb` words anew, or does not take at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_values_come_back_byte_for_byte() {
    let odd = [
        "1.50",
        "1e2",
        "1.5E-3",
        "-0",
        "-0.0",
        "1e400",
        "12345678901234567890123456789.000",
        "{\"name\":1,\"id\":2,\"b\":{\"zz\":[],\"a\":{}}}",
        "{\"a\":1,\"a\":2}",
        "\"\\u0041\\/\\u00e9é😀\"",
        "\"nul: \\u0000\"",
        "\"half: \\ud800\"",
        "[ 1, \"two words\" ]",
        "null",
        "\"\"",
    ];
    let site = Site::start().await;
    let mut tokens = Vec::new();
    for value in odd {
        tokens.push(site.run("", &format!("write odd {value}; write plain \"x\"")).await.token.unwrap());
    }
    let all: String = odd.iter().enumerate().map(|(n, value)| format!("write k{n} {value};")).collect();
    let together = site.run("", &all).await.token.unwrap();
    // Taken out of a set as it was put in.
    let set =
        site.run("", "put set {\"name\":1,\"id\":2}; put set {\"name\":2,\"id\":1}").await.token.unwrap();
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!(report.restored as usize, odd.len() + 2, "{report:?}");
    for (value, token) in odd.iter().zip(&tokens) {
        assert_eq!(site.run(token, "read odd; read plain").await.told, [json!(value), json!("\"x\"")]);
    }
    for (n, value) in odd.iter().enumerate() {
        assert_eq!(site.run(&together, &format!("read k{n}")).await.told, [json!(value)]);
    }
    site.run(&set, "drop set {\"name\":1,\"id\":2}").await;
    assert_eq!(site.run(&set, "read set").await.told, [json!("[{\"name\":2,\"id\":1}]")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_past_the_deadline_stays_out() {
    let postgres = database();
    let site = Site::with(&postgres, Duration::from_secs(60)).await;
    let short = crate::app::App::new(site.store.clone(), Duration::from_secs(1));
    let token = short.run("", "login alice").await.token.unwrap();
    let stays = site.run("", "login bob").await.token.unwrap();
    let deadline = site.now().as_millis() + 1000;
    site.lose().await;
    while site.now().as_millis() <= deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored, report.expired), (2, 1, 1), "{report:?}");
    assert_eq!(site.run(&token, "user").await.told, [json!(null)]);
    assert_eq!(site.run(&stays, "user").await.told, [json!("bob")]);
}

/// A session of some thousand changes is folded on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_session_comes_back_whole() {
    let site = Site::start().await;
    let mut token = site.run("", "login alice; write first 1").await.token.unwrap();
    for n in 0..3000 {
        if n == 1500 {
            token = site.run(&token, "renew").await.token.unwrap();
        }
        site.run(&token, "inc n").await;
    }
    site.lose().await;
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.problems.len()), (1, 0), "{report:?}");
    let told = site.run(&token, "read first; read n; user; version").await.told;
    assert_eq!(told, [json!("1"), json!("3000"), json!("alice"), json!(3003)]);
}
