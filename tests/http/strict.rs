//! A token that we did not issue, or that is over, is never adopted (A3, A4, D3).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    harness::{NOBODY, Setup, World},
    meta,
};

everywhere!(
    an_unknown_token_is_never_adopted,
    a_logged_out_token_is_never_adopted,
    a_replaced_token_is_never_adopted,
);
by_the_clock!(an_expired_token_is_never_adopted);
on_redis!(an_undecodable_record_is_no_session_and_its_token_is_not_used_again, a_deleted_key_is_no_session);

/// Whatever `dead` was, a request with it sees nothing, and what it writes goes under another token.
async fn never_adopted(world: &World, dead: &str) {
    let nothing = [Value::Null, json!([]), Value::Null, json!(true), Value::Null];
    assert_eq!(world.run(dead, "read a; keys; user; new; version").await.told(), nothing);
    assert!(!world.holds(dead).await);
    for steps in ["write a 1", "login alice", "count a", "save; write a 1"] {
        let answer = world.run(dead, steps).await;
        assert_ne!(answer.token(), dead, "{steps}");
        assert!(!world.holds(dead).await, "{steps}");
        assert_eq!(world.run(&answer.token(), "new").await.one(), false, "{steps}");
    }
    // Nothing to write: nothing is made, and no cookie is set.
    let answer = world.run(dead, "renew; remove a").await;
    assert_eq!((answer.status, answer.issued()), (200, None));
    assert!(!world.holds(dead).await);
}

async fn an_unknown_token_is_never_adopted(setup: Setup) {
    let world = setup.start().await;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    for first in [0, 2] {
        // Shards 0 and 32.
        [bytes[0], bytes[1]] = [first, 0];
        let unknown = URL_SAFE_NO_PAD.encode(bytes);
        never_adopted(&world, &unknown).await;
    }
}

async fn a_logged_out_token_is_never_adopted(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    assert!(world.run(&token, "logout").await.removes_cookie());
    never_adopted(&world, &token).await;
}

async fn a_replaced_token_is_never_adopted(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    assert_ne!(world.run(&token, "login alice").await.token(), token);
    never_adopted(&world, &token).await;
}

async fn an_expired_token_is_never_adopted(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    world.clock.advance(Duration::from_secs(60 * 60));
    never_adopted(&world, &token).await;
}

async fn an_undecodable_record_is_no_session_and_its_token_is_not_used_again(setup: Setup) {
    let world = setup.start().await;
    for (field, damage) in [
        ("h", None),
        ("m", None),
        ("p", None),
        ("h", Some("short")),
        ("h", Some("h-1 the id of an event")),
        ("h", Some("h1 fifteen bytes_")),
        ("h", Some("hgarbage the id of an event")),
        ("p", Some("")),
        ("p", Some("pgarbage")),
        ("p", Some("p\0\0\0\0\0\u{1}\u{1}\u{2}a1")),
        ("m", Some("")),
        ("m", Some("1")),
        ("CREATED", Some("")),
        ("DEADLINE", Some("soon")),
        ("EPOCH", Some("1e9")),
        ("USER", Some("1")),
        ("USER", Some("-1")),
        ("METHOD", Some("99999999999999999999")),
    ] {
        let token = world.run(NOBODY, "write a 1; write b 2").await.token();
        let key = world.key("s", &token).unwrap();
        let held = world.redis().command(&["HGET", &key, "m"]).unwrap();
        let words = [("CREATED", meta::CREATED), ("DEADLINE", meta::DEADLINE), ("EPOCH", meta::EPOCH)];
        let words = [&words[..], &[("USER", meta::USER), ("METHOD", meta::METHOD)]].concat();
        let place = words.into_iter().find(|(name, _)| *name == field).map(|(_, place)| place);
        let command = match (place, damage) {
            (_, None) => world.redis().command(&["HDEL", &key, field]),
            (None, Some(damage)) => world.redis().command(&["HSET", &key, field, damage]),
            (Some(place), Some(word)) => {
                world.redis().command(&["HSET", &key, "m", &meta::with(&held, place, word)])
            }
        };
        command.unwrap();
        assert_eq!(world.run(&token, "read a; keys; user; new").await.told()[..2], [Value::Null, json!([])]);
        let answer = world.run(&token, "write a 7").await;
        assert_ne!(answer.token(), token, "{damage:?}");
        let told = world.run(&answer.token(), "read a; read b").await.told();
        assert_eq!(told, [json!(7), Value::Null], "{damage:?}");
        assert_eq!(world.run(&token, "read a").await.one(), Value::Null, "{damage:?}");
    }
}

async fn a_deleted_key_is_no_session(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.run(&token, "user").await.one(), "alice");
    world.redis().command(&["DEL", &world.key("s", &token).unwrap()]).unwrap();
    assert_eq!(world.run(&token, "user").await.one(), Value::Null);
    never_adopted(&world, &token).await;
}
