//! Sign-ins that outlive the browser, and what they are worth.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::{cookie::CookieConfig, error::ErrorKind, manager::SessionConfig};
use serde_json::{Value, json};

use crate::{
    harness::{NOBODY, Setup, until},
    meta,
};

everywhere!(
    only_the_cookie_of_a_remembered_session_outlives_the_browser,
    the_grade_is_kept_until_the_next_sign_in,
    no_write_and_no_token_changes_the_grade
);
by_the_clock!(
    it_lives_on_where_an_ordinary_one_ends,
    its_own_timeouts_end_it,
    a_proof_anew_begins_both_again,
    it_is_fresh_no_longer_than_an_ordinary_one_lives
);
on_redis!(redis_keeps_it_for_its_own_time, redis_ends_it_at_its_deadline);

mod extractors {
    use super::*;
    expand!(axum_memory, Axum, Memory, what_asks_for_more_is_refused_in_time);
    expand!(actix_memory, Actix, Memory, what_asks_for_more_is_refused_in_time);
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn timeouts_that_make_no_sense_are_refused() {
    let config = SessionConfig::default;
    for refused in [
        config().with_remembered_timeouts(2 * DAY, DAY),
        config().with_remembered_timeouts(Duration::ZERO, DAY),
        config().with_remembered_timeouts(DAY, 401 * DAY),
        config().with_pending_timeout(Duration::ZERO),
        config().with_pending_timeout(HOUR + SECOND),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
    }
}

async fn only_the_cookie_of_a_remembered_session_outlives_the_browser(setup: Setup) {
    let world = setup.start().await;
    let ordinary = world.run(NOBODY, "login alice").await;
    assert!(!ordinary.cookie_line().unwrap().contains("Max-Age"), "{ordinary:?}");
    let remembered = world.run(&ordinary.token(), "remember alice").await;
    assert!(remembered.cookie_line().unwrap().ends_with("; Path=/; Max-Age=2592000"), "{remembered:?}");
    let again = world.run(&remembered.token(), "login alice").await;
    assert!(!again.cookie_line().unwrap().contains("Max-Age"), "{again:?}");
    // Where all cookies outlive the browser for a while, these do for longer.
    let cookie = CookieConfig::builder().max_age(60 * SECOND).build().unwrap();
    let world = setup.with(SessionConfig::default().with_cookie(cookie)).await;
    for (steps, age) in [("login alice", 60), ("remember alice", 30 * 86_400)] {
        let line = world.run(NOBODY, steps).await.cookie_line().unwrap();
        assert!(line.ends_with(&format!("; Max-Age={age}")), "{line}");
    }
}

async fn the_grade_is_kept_until_the_next_sign_in(setup: Setup) {
    let world = setup.start().await;
    let told = world.run(NOBODY, "grade; remember alice; grade; user; full").await;
    assert_eq!(told.told(), [Value::Null, json!("remembered"), json!("alice"), json!(true)]);
    let mut token = told.token();
    for steps in ["renew", "prove otp", "write a 1; renew"] {
        let answer = world.run(&token, steps).await;
        assert!(answer.cookie_line().unwrap().contains("Max-Age="), "{steps}: {answer:?}");
        token = answer.token();
        assert_eq!(world.run(&token, "grade; user").await.told(), [json!("remembered"), json!("alice")]);
    }
    let token = world.run(&token, "login alice").await.token();
    assert_eq!(world.run(&token, "grade").await.one(), "ordinary");
    let visitor = world.run(&token, "logout; write a 1; grade").await;
    assert_eq!(visitor.one(), Value::Null);
    assert_eq!(world.run(&visitor.token(), "grade; full").await.told(), [Value::Null, json!(false)]);
}

/// Bit 12 to 15 say which it is: whoever changes them has another token, of a session that is not there.
async fn no_write_and_no_token_changes_the_grade(setup: Setup) {
    let world = setup.start().await;
    let remembered = world.run(NOBODY, "remember alice").await.token();
    let ordinary = world.run(NOBODY, "login alice").await.token();
    let class = |token: &str| URL_SAFE_NO_PAD.decode(token).unwrap()[1] & 0x0f;
    assert_eq!((class(&remembered), class(&ordinary)), (1, 0));
    for token in [&remembered, &ordinary] {
        for class in 0..16 {
            let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
            bytes[1] = bytes[1] & 0xf0 | class;
            let forged = URL_SAFE_NO_PAD.encode(&bytes);
            if forged != **token {
                assert_eq!(world.run(&forged, "user; new").await.told(), [Value::Null, json!(true)]);
            }
        }
    }
    world.run(&remembered, "write class 0; write grade \"ordinary\"").await;
    assert_eq!(world.run(&remembered, "grade").await.one(), "remembered");
}

async fn it_lives_on_where_an_ordinary_one_ends(setup: Setup) {
    let world = setup.start().await;
    let remembered = world.run(NOBODY, "remember alice").await.token();
    let ordinary = world.run(NOBODY, "login alice").await.token();
    world.clock.advance(HOUR);
    let told = world.run(&remembered, "user; expires").await.told();
    assert_eq!(told, [json!("alice"), json!((14 * DAY).as_millis() as u64)]);
    assert_eq!(world.run(&ordinary, "user").await.one(), Value::Null);
    world.clock.advance(13 * DAY);
    world.run(&remembered, "write a 1").await;
    world.clock.advance(13 * DAY);
    assert_eq!(world.run(&remembered, "user").await.one(), "alice", "a commit restarts its own timeout");
}

async fn its_own_timeouts_end_it(setup: Setup) {
    let config = SessionConfig::default().with_remembered_timeouts(2 * DAY, 5 * DAY).unwrap();
    let world = setup.with(config).await;
    let token = world.run(NOBODY, "remember alice").await.token();
    world.clock.advance(2 * DAY);
    assert_eq!(world.run(&token, "user").await.one(), Value::Null, "unused");
    let answer = world.run(NOBODY, "remember alice").await;
    assert!(answer.cookie_line().unwrap().ends_with("; Max-Age=432000"), "{answer:?}");
    let mut token = answer.token();
    for day in 1..5 {
        world.clock.advance(DAY);
        let answer = world.run(&token, "user; renew").await;
        assert_eq!(answer.one(), "alice", "day {day}");
        let line = answer.cookie_line().unwrap();
        assert!(line.ends_with(&format!("; Max-Age={}", (5 - day) * 86_400)), "{line}");
        token = answer.token();
    }
    world.clock.advance(DAY);
    assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("absolute")]);
}

async fn a_proof_anew_begins_both_again(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, "remember alice").await.token();
    for _ in 0..5 {
        world.clock.advance(13 * DAY);
        token = world.run(&token, "prove password").await.token();
    }
    world.clock.advance(13 * DAY);
    let told = world.run(&token, "user; grade; full").await.told();
    assert_eq!(told, [json!("alice"), json!("remembered"), json!(false)]);
}

async fn it_is_fresh_no_longer_than_an_ordinary_one_lives(setup: Setup) {
    let world = setup.start().await;
    let remembered = world.run(NOBODY, "remember alice").await.token();
    world.clock.advance(HOUR);
    let told = world.run(&remembered, "full; fresh 3599; fresh 3600; fresh 86400").await.told();
    assert_eq!(told, [json!(true), json!(false), json!(true), json!(true)]);
    world.clock.advance(SECOND);
    let told = world.run(&remembered, "user; full; fresh 3601; fresh 86400").await.told();
    assert_eq!(told, [json!("alice"), json!(false), json!(false), json!(false)]);
    let answer = world.run(&remembered, "prove password; full; fresh 0").await;
    assert_eq!(answer.told(), [json!(true), json!(true)]);
    assert_eq!(world.run(&answer.token(), "full; fresh 0").await.told(), [json!(true), json!(true)]);
    // An ordinary one is what it is until it ends, and as old as it is.
    let mut ordinary = world.run(NOBODY, "login alice").await.token();
    for _ in 0..3 {
        world.clock.advance(HOUR / 2);
        ordinary = world.run(&ordinary, "renew").await.token();
    }
    let told = world.run(&ordinary, "full; fresh 5399; fresh 5400").await.told();
    assert_eq!(told, [json!(true), json!(false), json!(true)]);
}

async fn what_asks_for_more_is_refused_in_time(setup: Setup) {
    let world = setup.start().await;
    let remembered = world.run(NOBODY, "remember alice").await.token();
    assert_eq!(world.get(&remembered, "/full").await.body, b"alice");
    world.clock.advance(HOUR + SECOND);
    let answer = world.get(&remembered, "/full").await;
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert_eq!(answer.status, 401);
    assert!(challenge.ends_with("max_age=\"3600\""), "{challenge}");
    assert_eq!(world.get(&remembered, "/private").await.body, b"alice", "others still let in");
    let proved = world.run(&remembered, "prove password").await.token();
    assert_eq!(world.get(&proved, "/full").await.body, b"alice");
    let ordinary = world.run(NOBODY, "login bob").await.token();
    assert_eq!(world.get(&ordinary, "/full").await.body, b"bob");
    for nobody in [NOBODY, &world.run(NOBODY, "pending bob").await.token()] {
        let answer = world.get(nobody, "/full").await;
        assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, None));
    }
}

async fn redis_keeps_it_for_its_own_time(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "remember alice").await.token();
    let key = world.key("s", &token).unwrap();
    let number = |command: &[&str]| world.redis().command(command).unwrap().parse::<u64>().unwrap();
    let days = |ms: u64| Duration::from_millis(ms + 60_000).as_secs() / 86_400;
    for steps in ["", "write a 1"] {
        assert_eq!(days(number(&["PTTL", &key])), 14, "before {steps:?}");
        world.run(&token, steps).await;
    }
    let held = world.redis().command(&["HGET", &key, "m"]).unwrap();
    let lives = meta::number(&held, meta::DEADLINE) - meta::number(&held, meta::CREATED);
    assert_eq!(lives, 30 * 86_400_000);
    assert_eq!(days(number(&["PTTL", &world.keys("*:u:*").remove(0)])), 30, "the index lives as long");
}

async fn redis_ends_it_at_its_deadline(setup: Setup) {
    let span = Duration::from_millis(400);
    let world = setup.with(SessionConfig::default().with_remembered_timeouts(span, span).unwrap()).await;
    let token = world.run(NOBODY, "remember alice").await.token();
    assert_eq!(world.run(&token, "user").await.one(), "alice");
    let key = world.key("s", &token).unwrap();
    until("the key is gone", || world.redis().command(&["EXISTS", &key]).unwrap() == "0");
    assert_eq!(world.run(&token, "user; new").await.told(), [Value::Null, json!(true)]);
    let token = world.run(NOBODY, "remember alice").await.token();
    let key = world.key("s", &token).unwrap();
    world.redis().command(&meta::set_deadline(&key, "1000")).unwrap();
    assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("absolute")]);
}
