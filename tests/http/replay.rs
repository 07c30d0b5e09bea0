//! A token that is used again after the grace of its renewal.

use std::time::Duration;

use cloakroom::{manager::SessionConfig, session::ReplayPolicy};
use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup, World};

everywhere!(
    a_replay_is_told_and_revives_nothing,
    a_replay_revokes_the_renewed_session_if_told_to,
    a_replay_revokes_a_session_that_was_renewed_since,
    a_replay_of_a_session_that_ended_is_content,
    a_request_under_way_across_the_grace_is_gone,
);

const ALICE: &str = "login alice; write a 1";

/// A grace that is over at once, so that no test waits.
async fn world(setup: Setup, policy: ReplayPolicy) -> World {
    let config = SessionConfig::default().with_renewal_grace(Duration::ZERO).unwrap();
    setup.with(config.with_replay_policy(policy)).await
}

async fn a_replay_is_told_and_revives_nothing(setup: Setup) {
    let world = world(setup, ReplayPolicy::Ignore).await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    let answer = world.run(&old, "user; keys; ended").await;
    assert_eq!(answer.told(), [Value::Null, json!([]), json!("replayed")]);
    assert_eq!(answer.cookie_line(), None);
    let fresh = world.run(&old, "write a 9").await.token();
    assert!(fresh != old && fresh != new, "its token is never adopted");
    assert_eq!(world.run(&new, "user; read a").await.told(), [json!("alice"), json!(1)]);
}

async fn a_replay_revokes_the_renewed_session_if_told_to(setup: Setup) {
    let world = world(setup, ReplayPolicy::Revoke).await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    let held = world.hold(&new, "hold; write a 2").await;
    assert_eq!(world.run(&old, "user; ended").await.told(), [Value::Null, json!("replayed")]);
    assert_eq!(world.run(&new, "user; ended").await.told(), [Value::Null, json!("replayed")]);
    assert_eq!(held.release().await.status, 409);
    assert_eq!(world.sessions(), 0);
}

async fn a_replay_revokes_a_session_that_was_renewed_since(setup: Setup) {
    let world = world(setup, ReplayPolicy::Revoke).await;
    let first = world.run(NOBODY, ALICE).await.token();
    let second = world.run(&first, "renew").await.token();
    let third = world.run(&second, "renew").await.token();
    let _ = world.run(&first, "user").await;
    assert_eq!(world.run(&third, "user; ended").await.told(), [Value::Null, json!("replayed")]);
}

async fn a_replay_of_a_session_that_ended_is_content(setup: Setup) {
    let world = world(setup, ReplayPolicy::Revoke).await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    let _ = world.run(&new, "logout").await;
    assert_eq!(world.run(&old, "user").await.one(), Value::Null);
    assert_eq!(world.run(&new, "ended").await.one(), "logged_out", "the first reason stays");
}

async fn a_request_under_way_across_the_grace_is_gone(setup: Setup) {
    let world = world(setup, ReplayPolicy::Ignore).await;
    let old = world.run(NOBODY, ALICE).await.token();
    let held = world.hold(&old, "hold; write a 9").await;
    let new = world.run(&old, "renew").await.token();
    let late = held.release().await;
    assert_eq!((late.status, late.cookie_line()), (409, None), "it may overtake the new cookie");
    assert_eq!(world.run(&new, "read a").await.one(), 1);
}
