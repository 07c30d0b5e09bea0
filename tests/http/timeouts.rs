//! Idle and absolute timeouts, decided by the store's clock alone (B10, B11, B12).

use std::time::{Duration, Instant};

use cloakroom::manager::SessionConfig;
use serde_json::{Value, json};

use crate::{
    harness::{NOBODY, Setup, until},
    meta,
};

by_the_clock!(
    an_unused_session_ends_after_the_idle_timeout,
    every_use_restarts_the_idle_timeout,
    no_activity_prolongs_the_absolute_lifetime,
    a_sign_in_starts_both_anew,
    a_request_under_way_at_the_deadline_commits_nothing,
);
on_redis!(
    redis_ends_an_unused_session,
    redis_ends_a_session_at_its_deadline,
    a_deadline_that_has_passed_is_final,
    redis_refuses_a_commit_past_the_deadline,
    a_sign_in_past_the_deadline_carries_nothing,
    only_a_sign_in_moves_the_deadline,
);

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const TICK: Duration = Duration::from_millis(1);

async fn an_unused_session_ends_after_the_idle_timeout(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.clock.advance(HOUR - TICK);
    assert_eq!(world.run(&token, "user").await.one(), "alice");
    world.clock.advance(HOUR);
    let answer = world.run(&token, "user; keys; new").await;
    assert_eq!(answer.told(), [Value::Null, json!([]), json!(true)]);
    assert_eq!(answer.cookie_line(), None);
    let world = setup.with(SessionConfig::default().with_idle_timeout(5 * SECOND).unwrap()).await;
    let token = world.run(NOBODY, "write a 1; expires").await.token();
    assert_eq!(world.run(&token, "expires").await.one(), 5000);
    world.clock.advance(5 * SECOND);
    assert_eq!(world.run(&token, "read a").await.one(), Value::Null);
}

async fn every_use_restarts_the_idle_timeout(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for steps in ["read a", "", "write a 2", "count b", "write a 3; status 500"] {
        world.clock.advance(HOUR - TICK);
        assert_eq!(world.run(&token, "new").await.one(), false, "before {steps}");
        world.run(&token, steps).await;
    }
    world.clock.advance(HOUR);
    assert_eq!(world.run(&token, "new").await.one(), true);
}

async fn no_activity_prolongs_the_absolute_lifetime(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, "login alice").await.token();
    for hours in 1..=47 {
        world.clock.advance(HOUR / 2);
        assert_eq!(world.run(&token, "user; write a 1").await.one(), "alice", "after {hours} halves");
        if hours % 12 == 0 {
            token = world.run(&token, "renew").await.token();
        }
    }
    let left = world.run(&token, "expires").await.one();
    assert_eq!(left, (HOUR / 2).as_millis() as u64, "what is left is told");
    world.clock.advance(HOUR / 2 - TICK);
    assert_eq!(world.run(&token, "user").await.one(), "alice");
    world.clock.advance(TICK);
    assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("absolute")]);
    assert_eq!(world.sessions(), 0);
}

async fn a_sign_in_starts_both_anew(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, "login alice").await.token();
    for _ in 0..40 {
        world.clock.advance(HOUR - TICK);
        token = world.run(&token, "login alice").await.token();
    }
    assert_eq!(world.run(&token, "user; expires").await.told(), [json!("alice"), json!(3_600_000)]);
}

async fn a_request_under_way_at_the_deadline_commits_nothing(setup: Setup) {
    let world = setup.start().await;
    for steps in ["read a; hold; write a 2", "hold; count a", "hold; renew", "hold; login bob *"] {
        for idle in [true, false] {
            let token = world.run(NOBODY, "write a 1").await.token();
            let held = world.hold(&token, steps).await;
            if !idle {
                for _ in 0..47 {
                    world.clock.advance(HOUR / 2);
                    assert_eq!(world.run(&token, "new").await.one(), false);
                }
            }
            world.clock.advance(if idle { HOUR } else { HOUR / 2 });
            let answer = held.release().await;
            assert_eq!((answer.status, answer.issued()), (409, None), "{steps}, idle {idle}: {answer:?}");
            assert_eq!(world.run(&token, "new; keys").await.told(), [json!(true), json!([])]);
        }
    }
}

async fn redis_ends_an_unused_session(setup: Setup) {
    let idle = Duration::from_millis(300);
    let world = setup.with(SessionConfig::default().with_idle_timeout(idle).unwrap()).await;
    let token = world.run(NOBODY, "login alice").await.token();
    let key = world.key("s", &token).unwrap();
    let ttl: u64 = world.redis().command(&["PTTL", &key]).unwrap().parse().unwrap();
    assert!((1..=300).contains(&ttl), "{ttl}");
    until("the key is gone", || world.redis().command(&["EXISTS", &key]).unwrap() == "0");
    let answer = world.run(&token, "user; new").await;
    assert_eq!(answer.told(), [Value::Null, json!(true)]);
    assert_eq!(answer.cookie_line(), None);
    assert_eq!(world.sessions(), 0, "and a load does not bring it back");
}

async fn redis_ends_a_session_at_its_deadline(setup: Setup) {
    let absolute = Duration::from_millis(300);
    let world = setup.with(SessionConfig::default().with_absolute_timeout(absolute).unwrap()).await;
    let begun = Instant::now();
    let token = world.run(NOBODY, "login alice").await.token();
    let mut uses = 0;
    loop {
        let told = world.run(&token, "user; ended; expires").await.told();
        if told[0] == Value::Null {
            assert_eq!(told[1], "absolute");
            break;
        }
        assert!(told[2].as_u64().unwrap() <= 300, "{told:?}");
        assert!(begun.elapsed() < 10 * SECOND, "it lives on, by {uses} uses");
        uses += 1;
    }
    assert!(begun.elapsed() >= absolute - TICK, "too early: {:?}", begun.elapsed());
    assert!(uses > 0);
    assert_eq!(world.sessions(), 0);
}

async fn a_deadline_that_has_passed_is_final(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let key = world.key("s", &token).unwrap();
    world.redis().command(&meta::set_deadline(&key, "1000")).unwrap();
    let told = world.run(&token, "user; read a; ended").await.told();
    assert_eq!(told, [Value::Null, Value::Null, json!("absolute")]);
    assert!(!world.holds(&token).await);
    assert_ne!(world.run(&token, "write a 2").await.token(), token);
}

async fn redis_refuses_a_commit_past_the_deadline(setup: Setup) {
    let world = setup.start().await;
    for steps in ["read a; hold; write a 2", "hold; count a", "hold; renew"] {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        let key = world.key("s", &token).unwrap();
        world.redis().command(&meta::set_deadline(&key, "1000")).unwrap();
        let answer = held.release().await;
        assert_eq!(answer.status, 409, "{steps}: {answer:?}");
        assert!(answer.removes_cookie(), "{steps}: {answer:?}");
        assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("absolute")]);
    }
}

async fn a_sign_in_past_the_deadline_carries_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let held = world.hold(&token, "hold; login bob *").await;
    let key = world.key("s", &token).unwrap();
    world.redis().command(&meta::set_deadline(&key, "1000")).unwrap();
    let answer = held.release().await;
    assert_eq!((answer.status, answer.issued()), (409, None), "{answer:?}");
}

async fn only_a_sign_in_moves_the_deadline(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let deadline = |token: &str| {
        let key = world.key("s", token).unwrap();
        meta::number(&world.redis().command(&["HGET", &key, "m"]).unwrap(), meta::DEADLINE)
    };
    let first = deadline(&token) - 5_000;
    let key = world.key("s", &token).unwrap();
    world.redis().command(&meta::set_deadline(&key, &first.to_string())).unwrap();
    world.run(&token, "write a 1; count b; save; remove a; clear").await;
    assert_eq!(deadline(&token), first);
    let token = world.run(&token, "renew; write a 2").await.token();
    assert_eq!(deadline(&token), first);
    let token = world.run(&token, "login alice").await.token();
    assert!(deadline(&token) >= first + 5_000);
}
