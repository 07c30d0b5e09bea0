//! The user proves it again: a second factor, a step-up, a new role.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup};

everywhere!(
    the_token_changes_and_the_old_one_is_dead_at_once,
    nobody_can_prove_it_again_without_a_sign_in,
    a_request_under_way_does_not_reach_the_new_token,
    of_many_at_once_one_wins,
    changes_of_others_are_not_lost,
    the_old_token_of_a_renewal_proves_nothing,
    with_a_sign_in_of_the_same_request_it_is_one,
);
by_the_clock!(both_timeouts_start_again);
on_redis!(it_is_one_script);

const ALICE: &str = "login alice; write a 1";

async fn the_token_changes_and_the_old_one_is_dead_at_once(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "prove otp; write b 2").await.token();
    assert_ne!(old, new);
    let told = world.run(&new, "user; method; read a; read b; version").await.told();
    assert_eq!(told, [json!("alice"), json!("otp"), json!(1), json!(2), json!(2)]);
    assert_eq!(
        world.run(&old, "user; keys; ended").await.told(),
        [Value::Null, json!([]), json!("replaced")]
    );
    assert_eq!(world.sessions(), 1);
}

async fn nobody_can_prove_it_again_without_a_sign_in(setup: Setup) {
    let world = setup.start().await;
    let anonymous = world.run(NOBODY, "write a 1").await.token();
    for token in [NOBODY, &anonymous] {
        let answer = world.run(token, "prove otp").await;
        assert_eq!((answer.status, answer.cookie_line()), (401, None));
    }
    let token = world.run(NOBODY, ALICE).await.token();
    assert_eq!(world.run(&token, "logout; prove otp").await.status, 401);
}

async fn a_request_under_way_does_not_reach_the_new_token(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let held = world.hold(&old, "hold; write a 9").await;
    let new = world.run(&old, "prove otp").await.token();
    let late = held.release().await;
    assert_eq!((late.status, late.issued()), (409, None));
    assert_eq!(world.run(&new, "read a").await.one(), 1);
}

async fn of_many_at_once_one_wins(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(world.hold(&old, "hold; prove otp").await);
    }
    let tasks: Vec<_> = held.into_iter().map(|held| tokio::spawn(held.release())).collect();
    let mut tokens = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        match answer.issued() {
            Some(token) => tokens.push(token),
            None => assert_eq!(answer.status, 409),
        }
    }
    assert_eq!(tokens.len(), 1);
    assert_eq!(world.run(&tokens[0], "user").await.one(), "alice");
    assert_eq!(world.sessions(), 1);
}

async fn changes_of_others_are_not_lost(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let held = world.hold(&old, "inc n 1; hold; prove otp").await;
    let _ = world.run(&old, "write b 1; inc n 5").await;
    let new = held.release().await.token();
    assert_eq!(world.run(&new, "read b; read n").await.told(), [json!(1), json!(6)]);
    let held = world.hold(&new, "read b; hold; write b 2; prove otp").await;
    let _ = world.run(&new, "write b 3").await;
    let answer = held.release().await;
    assert_eq!((answer.status, answer.cookie_line()), (409, None));
    assert_eq!(world.run(&new, "user; read b").await.told(), [json!("alice"), json!(3)]);
}

async fn the_old_token_of_a_renewal_proves_nothing(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let held = world.hold(&old, "hold; prove otp").await;
    let new = world.run(&old, "renew").await.token();
    assert_eq!(world.run(&old, "prove otp").await.status, 409);
    let late = held.release().await;
    assert_eq!(
        (late.status, late.cookie_line()),
        (409, None),
        "nor if it was current when the request began"
    );
    assert_eq!(world.run(&new, "user; method").await.told(), [json!("alice"), json!("password")]);
}

async fn with_a_sign_in_of_the_same_request_it_is_one(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; prove otp").await.token();
    assert_eq!(
        world.run(&token, "user; method; version").await.told(),
        [json!("alice"), json!("otp"), json!(1)]
    );
}

/// NIST SP 800-63B-4: authentication anew starts both.
async fn both_timeouts_start_again(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, ALICE).await.token();
    let half_an_hour = Duration::from_secs(1800);
    for _ in 0..46 {
        world.clock.advance(half_an_hour);
        assert_eq!(world.run(&token, "user").await.one(), "alice");
    }
    token = world.run(&token, "prove otp").await.token();
    for _ in 0..47 {
        world.clock.advance(half_an_hour);
        assert_eq!(world.run(&token, "user").await.one(), "alice");
    }
    world.clock.advance(half_an_hour);
    assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("absolute")]);
}

async fn it_is_one_script(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, ALICE).await.token();
    // So that the server knows the script.
    let _ = world.run(&token, "write a 1").await;
    world.redis().reset_stats().unwrap();
    let new = world.run(&token, "prove otp").await.token();
    assert_eq!(world.commands().get("evalsha"), Some(&1));
    assert!(world.key("s", &token).is_none() && world.key("s", &new).is_some());
    assert!(world.key("x", &token).is_some(), "why it ended");
}
