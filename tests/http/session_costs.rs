//! What the index of a user's sessions costs, counted by Redis: nothing, where it doesn't change.

use std::collections::BTreeMap;

use cloakroom::{
    manager::SessionConfig,
    session::SessionAdmin,
    store::{CapPolicy, Revoked},
};

use crate::{
    commands::{calls, counted},
    harness::{NOBODY, Setup, World},
};

on_redis!(
    reading_and_writing_leave_the_index_alone,
    a_sign_in_asks_for_the_generation_and_runs_two_scripts,
    a_first_sign_in_is_one_script,
    a_cap_costs_one_look_at_the_index,
    a_list_is_two_questions,
    a_revocation_is_a_question_and_a_script,
    a_thousand_sessions_are_two_scripts,
);

/// `counted`, as a map.
async fn cost(world: &World, token: &str, steps: &str) -> BTreeMap<String, u64> {
    counted(world, token, steps).await.into_iter().collect()
}

fn sum(costs: &BTreeMap<String, u64>, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| costs.get(*name).copied().unwrap_or_default()).collect()
}

/// What a request of a user does is, command for command, what a visitor's does.
async fn reading_and_writing_leave_the_index_alone(setup: Setup) {
    let world =
        setup.with(SessionConfig::default().with_session_cap(9, CapPolicy::EvictOldest).unwrap()).await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let user = world.run(NOBODY, "login alice; write a 1").await.token();
    let index = world.keys("*:u:*").remove(0);
    let revision = || world.redis().command(&["HGET", &index, "rev"]).unwrap();
    let before = revision();
    // Once for the script.
    assert_eq!(world.run(&visitor, "write a 2").await.status, 200);
    for steps in ["read a; user", "write a 3; write b 4", "count n", "remove b"] {
        assert_eq!(cost(&world, &user, steps).await, cost(&world, &visitor, steps).await, "{steps}");
    }
    assert_eq!(revision(), before);
}

async fn a_sign_in_asks_for_the_generation_and_runs_two_scripts(setup: Setup) {
    let world = setup.start().await;
    let other = world.run(NOBODY, "write a 1").await.token();
    world.run(&other, "login alice").await.token();
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let costs = cost(&world, &visitor, "login alice a").await;
    // The load's HVALS, and the one of what is carried over in the script that ends the session before.
    assert_eq!(sum(&costs, &["evalsha", "hget", "hvals"]), [2, 1, 2], "{costs:?}");
}

async fn a_first_sign_in_is_one_script(setup: Setup) {
    let world = setup.start().await;
    world.run(NOBODY, "login alice").await.token();
    let expected = calls(&[
        ("evalsha", 1),
        ("exists", 2),
        ("get", 1),
        ("hmget", 1),
        ("hset", 2),
        ("pexpire", 1),
        ("pexpireat", 1),
        ("pttl", 1),
        ("time", 1),
        ("zadd", 1),
    ]);
    assert_eq!(counted(&world, NOBODY, "login bob").await, expected);
}

async fn a_cap_costs_one_look_at_the_index(setup: Setup) {
    for (policy, evictions) in [(CapPolicy::EvictOldest, 1), (CapPolicy::Reject, 0)] {
        let world = setup.with(SessionConfig::default().with_session_cap(2, policy).unwrap()).await;
        for user in ["alice", "alice", "bob"] {
            world.run(NOBODY, &format!("login {user}")).await.token();
        }
        let costs = cost(&world, NOBODY, if evictions == 1 { "login alice" } else { "login bob" }).await;
        // One from here and one in the script, and PTTL of each member and of the index.
        let members = 1 + evictions;
        assert_eq!(sum(&costs, &["evalsha", "hgetall", "pttl", "del"]), [1, 2, members + 1, evictions]);
    }
}

async fn a_list_is_two_questions(setup: Setup) {
    let world = setup.start().await;
    for _ in 0..4 {
        world.run(NOBODY, "login alice").await.token();
    }
    world.redis().reset_stats().unwrap();
    assert_eq!(SessionAdmin::new(world.store.clone()).sessions_of("alice").await.unwrap().len(), 4);
    let costs: Vec<_> = world.commands().into_iter().collect();
    assert_eq!(costs, calls(&[("hgetall", 1), ("pttl", 4), ("get", 1), ("hget", 1), ("time", 1)]));
}

async fn a_revocation_is_a_question_and_a_script(setup: Setup) {
    let world = setup.start().await;
    let admin = SessionAdmin::new(world.store.clone());
    for _ in 0..2 {
        for _ in 0..4 {
            world.run(NOBODY, "login alice").await.token();
        }
        let handle = admin.sessions_of("alice").await.unwrap()[0].handle.to_string();
        world.redis().reset_stats().unwrap();
        assert_eq!(admin.revoke("alice", &handle).await.unwrap(), Revoked::Revoked(1));
        // HMGET: the entry from here, the index and the session in the script.
        let one = world.commands();
        world.redis().reset_stats().unwrap();
        assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(3));
        let all = world.commands();
        // The first round has taught Redis the script.
        if !one.contains_key("script|load") {
            assert_eq!(sum(&one, &["evalsha", "hmget", "hgetall", "del"]), [1, 3, 0, 1], "{one:?}");
        }
        assert_eq!(sum(&all, &["evalsha", "hgetall", "del"]), [1, 1, 3], "{all:?}");
    }
}

async fn a_thousand_sessions_are_two_scripts(setup: Setup) {
    let world = setup.start().await;
    let admin = SessionAdmin::new(world.store.clone());
    let sign_ins: Vec<_> = (0..1000)
        .map(|_| {
            let instance = (*world).clone();
            tokio::spawn(async move { instance.run(NOBODY, "login alice").await.token() })
        })
        .collect();
    for sign_in in sign_ins {
        sign_in.await.unwrap();
    }
    assert_eq!(admin.revoke_all("nobody").await.unwrap(), Revoked::Revoked(0));
    world.redis().reset_stats().unwrap();
    assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(1000));
    let costs = world.commands();
    assert_eq!(sum(&costs, &["evalsha", "hgetall", "del"]), [2, 2, 1000], "{costs:?}");
}
