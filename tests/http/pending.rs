//! A second factor that is outstanding: nobody is signed in (B1, B2, B4).

use std::time::Duration;

use cloakroom::{manager::SessionConfig, session::SessionAdmin, store::CapPolicy};
use serde_json::{Value, json};

use crate::{
    commands::counted,
    harness::{NOBODY, Setup, World},
    meta,
};

everywhere!(
    nobody_is_signed_in_until_it_is_complete,
    both_steps_take_a_new_token_and_the_old_one_is_dead,
    what_is_carried_comes_along_twice_and_nothing_else,
    no_key_that_a_handler_writes_makes_anybody_anything,
    no_value_that_a_handler_removes_changes_who_waits,
    it_is_not_listed_and_takes_no_place,
    a_cap_counts_when_it_is_complete,
    a_revocation_of_all_sessions_revokes_what_waits,
    of_many_at_once_one_completes_it,
    nothing_is_completed_twice_or_by_nobody,
    a_handler_that_fails_completes_nothing,
    whoever_was_signed_in_is_not_any_more,
    it_may_end_in_a_remembered_session,
    a_detached_handle_makes_nothing_of_it
);
by_the_clock!(it_ends_after_ten_minutes_whatever_the_activity, its_time_can_be_set);
on_redis!(
    redis_ends_it,
    it_is_nobodys_in_redis,
    nothing_of_it_is_left_when_it_is_complete,
    a_revocation_is_remembered_for_as_long_as_anything_waits,
    each_step_costs_what_a_sign_in_does
);
axum_only!(the_extractor_gives_who_waits);
actix_only!(the_extractor_gives_who_waits);

const MINUTE: Duration = Duration::from_secs(60);

async fn waiting(world: &World, user: &str) -> String {
    world.run(NOBODY, &format!("pending {user}")).await.token()
}

async fn nobody_is_signed_in_until_it_is_complete(setup: Setup) {
    let world = setup.start().await;
    let asks = "user; grade; full; fresh 3600; method; first; keys";
    let nobody =
        |first: Value| [Value::Null, Value::Null, json!(false), json!(false), Value::Null, first, json!([])];
    let answer = world.run(NOBODY, &format!("pending alice; {asks}")).await;
    assert_eq!(answer.told(), nobody(json!(["alice", "password"])), "in the very request");
    let token = answer.token();
    for _ in 0..2 {
        assert_eq!(world.run(&token, asks).await.told(), nobody(json!(["alice", "password"])));
        world.run(&token, "write a 1; remove a").await;
    }
    for steps in ["sessions", "revoke-all", "revoke-others", "prove otp"] {
        assert_eq!(world.run(&token, steps).await.status, 401, "{steps}");
    }
    assert_eq!(world.run(NOBODY, "pending bob; prove otp").await.status, 401);
    let answer = world.run(&token, "complete both; user; first; grade; full").await;
    assert_eq!(answer.told(), [json!("alice"), Value::Null, json!("ordinary"), json!(true)]);
    let told = world.run(&answer.token(), "user; method; first; keys").await.told();
    assert_eq!(told, [json!("alice"), json!("both"), Value::Null, json!([])]);
}

async fn both_steps_take_a_new_token_and_the_old_one_is_dead(setup: Setup) {
    let world = setup.start().await;
    let planted = world.run(NOBODY, "write a 1").await.token();
    let first = world.run(&planted, "pending alice").await.token();
    let renewed = world.run(&first, "renew").await.token();
    assert_eq!(world.run(&renewed, "first").await.one(), json!(["alice", "password"]));
    let held = world.hold(&renewed, "hold; write stolen 1; user; complete mine").await;
    let second = world.run(&renewed, "complete both").await.token();
    let answer = held.release().await;
    assert_eq!((answer.status, answer.issued()), (409, None), "{answer:?}");
    assert!(planted != first && first != renewed && renewed != second);
    for dead in [&planted, &first, &renewed] {
        let told = world.run(dead, "user; first; keys").await.told();
        assert_eq!(told, [Value::Null, Value::Null, json!([])]);
    }
    assert_eq!(world.run(&second, "user; keys").await.told(), [json!("alice"), json!([])]);
    assert_eq!(world.sessions(), 1);
}

async fn what_is_carried_comes_along_twice_and_nothing_else(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write cart 1; write csrf 2").await.token();
    let first = world.run(&visitor, "pending alice cart").await.token();
    assert_eq!(world.run(&first, "keys; read cart").await.told(), [json!(["cart"]), json!(1)]);
    world.run(&first, "write challenge 3; count wrong; write cart 4").await;
    let second = world.run(&first, "complete both").await.token();
    assert_eq!(world.run(&second, "keys; read cart").await.told(), [json!(["cart"]), json!(4)]);
    let first = world.run(&visitor, "write a 1").await.token();
    let first = world.run(&first, "pending alice *").await.token();
    let second = world.run(&first, "complete both; write b 2").await.token();
    assert_eq!(world.run(&second, "keys; first").await.told(), [json!(["a", "b"]), Value::Null]);
}

async fn no_key_that_a_handler_writes_makes_anybody_anything(setup: Setup) {
    let world = setup.start().await;
    let forged = r#"{"user":"admin","remembered":false,"carry":null,"began":0}"#;
    for begin in ["write a 1", "login alice", "pending alice"] {
        let token = world.run(NOBODY, begin).await.token();
        let before = world.run(&token, "user; first; version").await.told();
        for verb in ["write", "strict", "push", "add", "login x; write"] {
            for name in [":pending", ":user", ":"] {
                let answer = world.run(&token, &format!("{verb} {name} {forged}")).await;
                assert_eq!((answer.status, answer.issued()), (500, None), "{verb} {name}: {answer:?}");
            }
        }
        for steps in ["count :pending", "inc :pending 1", "remove :pending", "take :pending"] {
            assert_eq!(world.run(&token, steps).await.status, 500, "{steps}");
        }
        let told = world.run(&token, "contains :pending; read :pending").await.told();
        assert_eq!(told, [json!(false), Value::Null]);
        // The names without it are the application's, and mean nothing here.
        world.run(&token, &format!("write pending {forged}; write user \"admin\"")).await;
        let after = world.run(&token, "user; first").await.told();
        assert_eq!(after, before[..2]);
    }
}

async fn no_value_that_a_handler_removes_changes_who_waits(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    world.run(&token, "write a 1; write b 2").await;
    world.run(&token, "clear; write c 3").await;
    assert_eq!(world.run(&token, "keys; first").await.told(), [json!(["c"]), json!(["alice", "password"])]);
    assert_eq!(world.run(&token, "complete both; user").await.one(), "alice");
}

async fn it_is_not_listed_and_takes_no_place(setup: Setup) {
    for policy in [CapPolicy::Reject, CapPolicy::EvictOldest, CapPolicy::EvictLeastRecentlyUsed] {
        let world = setup.with(SessionConfig::default().with_session_cap(1, policy).unwrap()).await;
        let alice = world.run(NOBODY, "login alice").await.token();
        for _ in 0..3 {
            let visitor = world.run(NOBODY, "write a 1").await.token();
            world.run(&visitor, "pending alice").await.token();
            waiting(&world, "alice").await;
        }
        let listed = world.run(&alice, "sessions; user").await.told();
        assert_eq!((listed[0].as_array().unwrap().len(), &listed[1]), (1, &json!("alice")), "{policy:?}");
    }
}

async fn a_cap_counts_when_it_is_complete(setup: Setup) {
    let cap = |policy| SessionConfig::default().with_session_cap(1, policy).unwrap();
    let world = setup.with(cap(CapPolicy::Reject)).await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let token = waiting(&world, "alice").await;
    assert_eq!(world.run(&token, "complete both").await.status, 409);
    assert_eq!(world.run(&token, "first").await.one(), json!(["alice", "password"]), "it waits on");
    world.run(&alice, "logout").await;
    let second = world.run(&token, "complete both").await.token();
    assert_eq!(world.run(&second, "user").await.one(), "alice");
    let world = setup.with(cap(CapPolicy::EvictOldest)).await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let token = waiting(&world, "alice").await;
    let second = world.run(&token, "complete both").await.token();
    assert_eq!(world.run(&alice, "user; ended").await.told(), [Value::Null, json!("evicted")]);
    assert_eq!(world.run(&second, "user").await.one(), "alice");
}

/// A password that was changed since is none that a second factor could make good.
async fn a_revocation_of_all_sessions_revokes_what_waits(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let tokens = [waiting(&world, "alice").await, world.run(&visitor, "pending alice").await.token()];
    let alice = world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.run(&alice, "revoke-all").await.one(), 1);
    for token in tokens {
        let answer = world.run(&token, "complete both").await;
        assert_eq!((answer.status, answer.issued()), (409, None), "{answer:?}");
        assert_eq!(world.run(&token, "user; first").await.told(), [Value::Null, Value::Null]);
    }
    let token = waiting(&world, "alice").await;
    assert_eq!(world.run(&token, "complete both; user").await.one(), "alice", "one that began later");
}

async fn of_many_at_once_one_completes_it(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(world.hold(&token, "hold; complete both").await);
    }
    let mut issued = Vec::new();
    for answer in held {
        issued.extend(answer.release().await.issued());
    }
    assert_eq!((issued.len(), world.sessions()), (1, 1));
    assert_eq!(world.run(&issued[0], "user").await.one(), "alice");
}

async fn nothing_is_completed_twice_or_by_nobody(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let alice = world.run(NOBODY, "login alice").await.token();
    let token = waiting(&world, "bob").await;
    let second = world.run(&token, "complete both").await.token();
    for token in [NOBODY, &visitor, &alice, &token, &second] {
        let answer = world.run(token, "complete both").await;
        assert_eq!((answer.status, answer.issued()), (401, None), "{answer:?}");
    }
    for steps in ["complete both; complete both", "logout; complete both", "login bob; complete both"] {
        let token = waiting(&world, "alice").await;
        assert_eq!(world.run(&token, steps).await.status, 401, "{steps}");
    }
    assert_eq!(world.run(&alice, "user; first").await.told(), [json!("alice"), Value::Null]);
}

async fn a_handler_that_fails_completes_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    assert_eq!(world.run(&token, "complete both; status 500").await.issued(), None);
    let told = world.run(&token, "user; first").await.told();
    assert_eq!(told, [Value::Null, json!(["alice", "password"])]);
    assert_eq!(world.run(NOBODY, "pending alice; status 503").await.issued(), None);
}

async fn whoever_was_signed_in_is_not_any_more(setup: Setup) {
    let world = setup.start().await;
    let alice = world.run(NOBODY, "login alice; write a 1").await.token();
    let answer = world.run(&alice, "pending bob; user").await;
    assert_eq!(answer.one(), Value::Null);
    for token in [&alice, &answer.token()] {
        assert_eq!(world.run(token, "user; keys").await.told(), [Value::Null, json!([])]);
    }
}

async fn it_may_end_in_a_remembered_session(setup: Setup) {
    let world = setup.start().await;
    let first = world.run(NOBODY, "pending-remember alice").await;
    assert!(!first.cookie_line().unwrap().contains("Max-Age"), "{first:?}");
    let second = world.run(&first.token(), "complete both").await;
    assert!(second.cookie_line().unwrap().ends_with("; Max-Age=2592000"), "{second:?}");
    assert_eq!(world.run(&second.token(), "user; grade").await.told(), [json!("alice"), json!("remembered")]);
}

async fn a_detached_handle_makes_nothing_of_it(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    for steps in ["apart-refused pending", "apart-refused complete"] {
        assert_eq!(world.run(&token, steps).await.one(), "AfterCommit", "{steps}");
    }
}

async fn it_ends_after_ten_minutes_whatever_the_activity(setup: Setup) {
    let world = setup.start().await;
    let mut token = waiting(&world, "alice").await;
    for minute in 0..9 {
        world.clock.advance(MINUTE);
        let answer = world.run(&token, "first; count wrong; renew; expires").await;
        assert_eq!(answer.told(), [json!(["alice", "password"]), json!((9 - minute) * 60_000)]);
        token = answer.token();
    }
    world.clock.advance(MINUTE);
    assert_eq!(world.run(&token, "complete both").await.status, 401);
    assert_eq!(world.run(&token, "first; user").await.told(), [Value::Null, Value::Null]);
    let held = world.hold(&waiting(&world, "alice").await, "hold; complete both").await;
    world.clock.advance(10 * MINUTE);
    let answer = held.release().await;
    assert_eq!((answer.status, answer.issued()), (409, None), "under way at the deadline");
}

async fn its_time_can_be_set(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_pending_timeout(MINUTE).unwrap()).await;
    let token = waiting(&world, "alice").await;
    assert_eq!(world.run(&token, "expires").await.one(), 60_000);
    let second = world.run(&token, "complete both").await.token();
    assert_eq!(world.run(&second, "expires").await.one(), 3_600_000, "the session itself has its own time");
}

async fn redis_ends_it(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    let key = world.key("s", &token).unwrap();
    let number = |command: &[&str]| world.redis().command(command).unwrap().parse::<u64>().unwrap();
    assert!((590_000..=600_000).contains(&number(&["PTTL", &key])));
    let held = world.redis().command(&["HGET", &key, "m"]).unwrap();
    assert_eq!(meta::number(&held, meta::DEADLINE) - meta::number(&held, meta::CREATED), 600_000);
    world.redis().command(&meta::set_deadline(&key, "1000")).unwrap();
    assert_eq!(
        world.run(&token, "first; user; ended").await.told(),
        [Value::Null, Value::Null, json!("absolute")]
    );
}

/// Whoever reads the store without knowing of second factors finds nobody; and the field alone, in a session of
/// another kind, is nothing.
async fn it_is_nobodys_in_redis(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    let key = world.key("s", &token).unwrap();
    let held = world.redis().command(&["HGET", &key, "m"]).unwrap();
    assert_eq!(
        [meta::user(&held), meta::method(&held), meta::word(&held, meta::AUTHENTICATED)],
        ["", "", "-"]
    );
    let values = world.redis().command(&["HGET", &key, "p"]).unwrap();
    assert!(meta::values(values.as_bytes()).contains_key(":pending"), "{values}");
    assert_eq!(world.keys("*:u:*").len(), 0, "no index");
    for begin in ["write a 1", "login bob", "remember bob"] {
        let other = world.run(NOBODY, begin).await.token();
        let to = world.key("s", &other).unwrap();
        let copy = "local p = redis.call('HGET', KEYS[1], 'p') redis.call('HSET', KEYS[2], 'p', p)";
        world.redis().command(&["EVAL", copy, "2", &key, &to]).unwrap();
        assert_eq!(world.run(&other, "first").await.one(), Value::Null, "{begin}");
        assert_eq!(world.run(&other, "complete both").await.status, 401, "{begin}");
    }
}

async fn nothing_of_it_is_left_when_it_is_complete(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let token = world.run(&visitor, "pending alice *").await.token();
    let second = world.run(&token, "complete both").await.token();
    let values = world.redis().command(&["HVALS", &world.key("s", &second).unwrap()]).unwrap();
    assert!(values.contains("\u{1}\u{1}a1") && !values.contains("pending"), "{values}");
}

/// Also of a user without a session, whose index would be gone sooner.
async fn a_revocation_is_remembered_for_as_long_as_anything_waits(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    let admin = SessionAdmin::new(world.store.clone());
    let _ = admin.revoke_all("alice").await.unwrap();
    let ttl = world.redis().command(&["PTTL", &world.keys("*:u:*").remove(0)]).unwrap();
    assert!(ttl.parse::<u64>().unwrap() > 3_600_000, "an hour is the most that can be set: {ttl}");
    assert_eq!(world.run(&token, "complete both").await.status, 409);
}

async fn each_step_costs_what_a_sign_in_does(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let token = world.run(&visitor, "pending bob").await.token();
    world.run(&token, "complete both").await;
    let cost = async |token: &str, steps: &str| {
        let costs = counted(&world, token, steps).await;
        let of = |name: &str| costs.iter().find(|(other, _)| other == name).map_or(0, |(_, count)| *count);
        [of("evalsha"), of("hget")]
    };
    assert_eq!(cost(NOBODY, "pending alice").await, [1, 1]);
    let visitor = world.run(NOBODY, "write a 1").await.token();
    assert_eq!(cost(&visitor, "pending alice").await, [2, 1]);
    let token = waiting(&world, "alice").await;
    assert_eq!(cost(&token, "complete both").await, [2, 1]);
}

async fn the_extractor_gives_who_waits(setup: Setup) {
    let world = setup.start().await;
    let token = waiting(&world, "alice").await;
    assert_eq!(world.get(&token, "/pending").await.body, b"alice by password");
    assert_eq!(world.get(&token, "/maybe").await.body, b"nobody");
    let answer = world.get(&token, "/complete").await;
    assert_eq!(answer.status, 200);
    let alice = answer.token();
    assert_eq!(world.get(&alice, "/private").await.body, b"alice");
    for none in [NOBODY, &token, &alice, &world.run(NOBODY, "write a 1").await.token()] {
        for path in ["/pending", "/complete"] {
            let answer = world.get(none, path).await;
            assert_eq!((answer.status, answer.cookie_line()), (401, None), "{path}: {answer:?}");
        }
    }
}
