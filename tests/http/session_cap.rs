//! How many sessions a user may have (SECURITY: B15).

use std::collections::BTreeSet;

use cloakroom::{manager::SessionConfig, session::SessionAdmin, store::CapPolicy};
use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup, World};

everywhere!(
    a_hundred_sign_ins_at_a_time_leave_three,
    who_gives_way_is_told_why,
    the_least_used_gives_way,
    one_too_many_is_rejected_and_changes_nothing,
    a_sign_in_takes_the_place_of_its_own_session,
    a_cap_is_for_each_user,
);

#[test]
fn a_cap_that_makes_no_sense_is_refused() {
    for (cap, taken) in [(0, false), (1, true), (1000, true), (1001, false)] {
        let config = SessionConfig::default().with_session_cap(cap, CapPolicy::Reject);
        assert_eq!(config.is_ok(), taken, "{cap}");
    }
}

async fn capped(setup: Setup, cap: u32, policy: CapPolicy) -> World {
    setup.with(SessionConfig::default().with_session_cap(cap, policy).unwrap()).await
}

/// Half of them with a session before, on two instances.
async fn a_hundred_sign_ins_at_a_time_leave_three(setup: Setup) {
    for policy in [CapPolicy::EvictOldest, CapPolicy::EvictLeastRecentlyUsed, CapPolicy::Reject] {
        let world = capped(setup, 3, policy).await;
        let instances = [(*world).clone(), world.another_instance()];
        let mut visitors = Vec::new();
        for _ in 0..50 {
            visitors.push(world.run(NOBODY, "write a 1").await.token());
            visitors.push(NOBODY.to_owned());
        }
        let sign_ins: Vec<_> = (0..)
            .zip(visitors)
            .map(|(n, visitor): (usize, String)| {
                let instance = instances[n / 2 % 2].clone();
                tokio::spawn(async move { (instance.run(&visitor, "login alice *").await, visitor) })
            })
            .collect();
        let (mut alive, mut rejected) = (BTreeSet::new(), 0);
        let mut answers = Vec::new();
        for sign_in in sign_ins {
            answers.push(sign_in.await.unwrap());
        }
        for (answer, visitor) in answers {
            match (answer.status, answer.issued()) {
                (200, Some(token)) => match world.run(&token, "user").await.one() {
                    Value::Null => {
                        assert_eq!(world.run(&token, "ended").await.one(), "evicted");
                    }
                    _ => assert!(alive.insert(token)),
                },
                (409, None) => {
                    rejected += 1;
                    if visitor != NOBODY {
                        assert_eq!(world.run(&visitor, "read a").await.one(), 1, "as it was");
                    }
                }
                other => panic!("{policy:?} {other:?} {answer:?}"),
            }
        }
        assert_eq!(
            (alive.len(), rejected),
            (3, if policy == CapPolicy::Reject { 97 } else { 0 }),
            "{policy:?}"
        );
        let listed = SessionAdmin::new(world.store.clone()).sessions_of("alice").await.unwrap();
        assert_eq!(listed.len(), 3, "{policy:?}");
    }
}

async fn who_gives_way_is_told_why(setup: Setup) {
    let world = capped(setup, 1, CapPolicy::EvictOldest).await;
    let old = world.run(NOBODY, "login alice; write a 1").await.token();
    let late = world.hold(&old, "hold; write a 2").await;
    let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/604.1";
    let new = world.run_from(agent, "203.0.113.7", NOBODY, "sign-in alice").await.token();
    let answer = late.release().await;
    assert_eq!((answer.status, answer.removes_cookie()), (409, true), "{answer:?}");
    let told = world.run(&old, "user; ended; ended-device").await.told();
    assert_eq!(told, [Value::Null, json!("evicted"), json!("Safari on iPhone")]);
    assert_eq!(world.run(&new, "user").await.one(), "alice");
}

async fn the_least_used_gives_way(setup: Setup) {
    let world = capped(setup, 2, CapPolicy::EvictLeastRecentlyUsed).await;
    let pause = async || {
        world.clock.advance(std::time::Duration::from_millis(5));
        // Redis has a clock of its own, with milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let first = world.run(NOBODY, "login alice").await.token();
    pause().await;
    let second = world.run(NOBODY, "login alice").await.token();
    pause().await;
    assert_eq!(world.run(&first, "user").await.one(), "alice");
    pause().await;
    world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.run(&second, "ended").await.one(), "evicted");
    assert_eq!(world.run(&first, "user").await.one(), "alice");
}

async fn one_too_many_is_rejected_and_changes_nothing(setup: Setup) {
    let world = capped(setup, 1, CapPolicy::Reject).await;
    let mine = world.run(NOBODY, "login alice").await.token();
    let visitor = world.run(NOBODY, "write a 1").await.token();
    for token in [NOBODY, &visitor] {
        let answer = world.run(token, "login alice *; write a 2").await;
        assert_eq!((answer.status, answer.cookie_line()), (409, None), "{answer:?}");
        let answer = world.run(token, "login alice *; save; user; status 403").await;
        assert_eq!((answer.status, answer.cookie_line()), (403, None), "the handler's own answer");
        assert_eq!(answer.body, br#"["rejected",null]"#);
    }
    assert_eq!(world.run(&visitor, "read a; user").await.told(), [json!(1), Value::Null]);
    assert_eq!(world.run(&mine, "user").await.one(), "alice");
    assert_eq!(world.sessions(), 2);
    world.run(&mine, "logout").await;
    assert_eq!(world.run(&visitor, "login alice *; user").await.one(), "alice");
}

async fn a_sign_in_takes_the_place_of_its_own_session(setup: Setup) {
    for policy in [CapPolicy::EvictOldest, CapPolicy::Reject] {
        let world = capped(setup, 2, policy).await;
        let other = world.run(NOBODY, "login alice").await.token();
        let mut mine = world.run(NOBODY, "login alice").await.token();
        for _ in 0..3 {
            mine = world.run(&mine, "login alice").await.token();
        }
        for token in [&other, &mine] {
            assert_eq!(world.run(token, "user").await.one(), "alice", "{policy:?}");
        }
    }
}

async fn a_cap_is_for_each_user(setup: Setup) {
    let world = capped(setup, 1, CapPolicy::Reject).await;
    for (user, status) in [("alice", 200), ("bob", 200), ("alice", 409), ("Alice", 200)] {
        assert_eq!(world.run(NOBODY, &format!("login {user}")).await.status, status, "{user}");
    }
}
