//! What requests ask of Redis, counted by Redis itself (DESIGN: one round trip a request).

use std::time::Duration;

use cloakroom::manager::{Load, SessionConfig};
use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup, World, until};

on_redis!(
    a_reading_request_is_one_pipeline,
    a_writing_request_is_a_load_and_one_script,
    a_second_save_is_worked_out_as_the_first,
    a_first_write_is_one_script,
    a_sign_in_is_two_scripts,
    a_renewal_is_one_script,
    a_value_is_taken_by_one_script,
    a_logout_is_a_load_and_one_script,
    a_load_refreshes_the_idle_timeout,
    a_lazy_session_costs_nothing_until_it_is_used,
    an_eager_session_is_loaded_even_by_a_static_route,
    an_update_that_loses_is_tried_again_without_a_load,
);

/// What Redis ran for one request.
pub(crate) async fn counted(world: &World, token: &str, steps: &str) -> Vec<(String, u64)> {
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run(token, steps).await.status, 200);
    world.commands().into_iter().collect()
}

pub(crate) fn calls(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mut calls: Vec<_> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    calls.sort();
    calls
}

/// A session whose making has taught Redis all three scripts.
async fn warm(world: &World) -> String {
    let token = world.run(NOBODY, "write a 1").await.token();
    assert_eq!(world.run(&token, "write a 2").await.status, 200);
    assert_eq!(world.run(&token, "logout").await.status, 200);
    world.run(NOBODY, "write a 1").await.token()
}

const LOAD: [(&str, u64); 4] = [("get", 1), ("hvals", 1), ("pexpire", 1), ("pexpiretime", 1)];

async fn a_reading_request_is_one_pipeline(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    for steps in ["read a; keys; user", "", "contains a; read b; version; ended"] {
        assert_eq!(counted(&world, &token, steps).await, calls(&LOAD), "{steps}");
    }
}

async fn a_writing_request_is_a_load_and_one_script(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    // `commandstats` also counts what a script runs inside: TIME, HGET, GET, HSET, PEXPIRE here.
    let expected = calls(&[
        ("evalsha", 1),
        ("hvals", 1),
        ("hget", 1),
        ("hset", 1),
        ("get", 2),
        ("pexpire", 2),
        ("pexpiretime", 1),
        ("time", 1),
    ]);
    let many = "write a 3; write b 4; read a; count c";
    for steps in ["write a 2", many] {
        assert_eq!(counted(&world, &token, steps).await, expected, "{steps}");
    }
}

/// What the first made of the session is what the second starts from: neither script takes the session apart, which
/// would be three `HGET` each.
async fn a_second_save_is_worked_out_as_the_first(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    for steps in ["write a 2; save; write b 3; save; inc c 1", "take b; save; write b 4; save; take b"] {
        let commands = counted(&world, &token, steps).await;
        for expected in [("evalsha", 3), ("hget", 3), ("hset", 3), ("hvals", 1)] {
            assert!(commands.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {commands:?}");
        }
    }
    assert_eq!(world.run(&token, "read a; read b; read c").await.told(), [json!(2), Value::Null, json!(1)]);
}

async fn a_first_write_is_one_script(setup: Setup) {
    let world = setup.start().await;
    warm(&world).await;
    // Inside: EXISTS of the session and of its aftermath, GET of the epoch, TIME, HSET, PEXPIREAT, and ZADD for the
    // sweep.
    let expected = calls(&[
        ("evalsha", 1),
        ("exists", 2),
        ("get", 1),
        ("hset", 1),
        ("pexpireat", 1),
        ("time", 1),
        ("zadd", 1),
    ]);
    assert_eq!(counted(&world, NOBODY, "write a 1; write b 2").await, expected);
}

async fn a_sign_in_is_two_scripts(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    let commands = counted(&world, &token, "write b 2; login alice b").await;
    assert!(commands.contains(&("evalsha".to_owned(), 2)), "{commands:?}");
    assert!(!commands.iter().any(|(name, _)| name == "eval"), "{commands:?}");
}

async fn a_renewal_is_one_script(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    // Inside, beside what a commit does: EXISTS of the new address, RENAME, the old one's aftermath, and its place in
    // the list that is swept.
    let expected = calls(&[
        ("evalsha", 1),
        ("exists", 1),
        ("hvals", 1),
        ("hget", 3),
        ("hset", 2),
        ("get", 2),
        ("pexpire", 3),
        ("pexpiretime", 1),
        ("rename", 1),
        ("time", 1),
        ("zadd", 1),
        ("zrem", 1),
    ]);
    assert_eq!(counted(&world, &token, "renew").await, expected);
}

async fn a_value_is_taken_by_one_script(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    let expected = calls(&[
        ("evalsha", 1),
        ("hvals", 1),
        ("hget", 1),
        ("hset", 1),
        ("get", 2),
        ("pexpire", 2),
        ("pexpiretime", 1),
        ("time", 1),
    ]);
    assert_eq!(counted(&world, &token, "take a; take a; take b").await, expected);
}

async fn a_logout_is_a_load_and_one_script(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    let commands = counted(&world, &token, "write b 2; logout").await;
    for expected in [("evalsha", 1), ("hvals", 1), ("del", 1)] {
        assert!(commands.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {commands:?}");
    }
}

async fn a_load_refreshes_the_idle_timeout(setup: Setup) {
    const HOUR: i64 = 60 * 60 * 1000;
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let key = world.key("s", &token).unwrap();
    let ttl = || world.redis().command(&["PTTL", &key]).unwrap().parse::<i64>().unwrap();
    for steps in ["", "read a", "write a 2"] {
        world.redis().command(&["PEXPIRE", &key, "5000"]).unwrap();
        assert!(ttl() <= 5000);
        assert_eq!(world.run(&token, steps).await.status, 200);
        assert!((HOUR - 10_000..=HOUR).contains(&ttl()), "{steps}: {}", ttl());
    }
    // A request that has nothing to do with the session is no activity.
    world.redis().command(&["PEXPIRE", &key, "5000"]).unwrap();
    assert_eq!(world.run(NOBODY, "write a 2").await.status, 200);
    assert!(ttl() <= 5000);
}

async fn a_lazy_session_costs_nothing_until_it_is_used(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_load(Load::Lazy)).await;
    let token = warm(&world).await;
    world.redis().reset_stats().unwrap();
    let answer = world.run_static(&token, "status 200").await;
    assert_eq!((answer.status, answer.cookie_line()), (200, None));
    assert!(!answer.headers.contains_key("vary"));
    assert_eq!(world.commands(), [].into());
    assert_eq!(counted(&world, &token, "read a").await, calls(&LOAD));
}

async fn an_eager_session_is_loaded_even_by_a_static_route(setup: Setup) {
    let world = setup.start().await;
    let token = warm(&world).await;
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run_static(&token, "status 200").await.status, 200);
    assert_eq!(world.commands().into_iter().collect::<Vec<_>>(), calls(&LOAD));
}

async fn an_update_that_loses_is_tried_again_without_a_load(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_replay_for(Duration::from_secs(10))).await;
    let token = warm(&world).await;
    let held = world.hold(&token, "count a; hold").await;
    assert_eq!(world.run(&token, "count a").await.status, 200);
    world.redis().reset_stats().unwrap();
    assert_eq!(held.release().await.status, 200);
    until("both scripts are counted", || world.commands().get("evalsha") == Some(&2));
    // The refused commit answers the newer session (HVALS in the script), so nothing is loaded.
    assert_eq!(world.commands().get("hvals"), Some(&1));
    assert_eq!(world.run(&token, "read a").await.one(), 3);
}
