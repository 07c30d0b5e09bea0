//! What the store works out by itself never conflicts.

use std::time::Duration;

use cloakroom::manager::SessionConfig;
use serde_json::json;

use crate::{
    commands::calls,
    harness::{NOBODY, Setup},
};

everywhere!(
    an_operation_starts_from_what_others_made,
    operations_of_one_request_follow_one_another,
    the_handler_sees_what_it_would_come_to,
    an_operation_never_conflicts_whatever_the_policy,
    a_value_that_does_not_fit_is_refused_and_changes_nothing,
    a_value_that_others_made_unfit_is_a_conflict,
    two_hundred_increments_over_two_instances_are_two_hundred,
    texts_pass_unchanged,
    operations_of_a_visitor_begin_a_session,
    operations_are_carried_over_a_sign_in,
    operations_meet_a_clear_a_write_and_an_update,
    a_second_save_counts_once,
    a_value_derived_from_an_update_is_guarded,
);
on_redis!(an_operation_costs_what_a_write_costs);

async fn an_operation_starts_from_what_others_made(setup: Setup) {
    let world = setup.start().await;
    for (steps, meanwhile, key, then) in [
        ("hold; inc n 2", "inc n 5", "n", json!(17)),
        ("read n; inc n 2; hold", "write n 1", "n", json!(3)),
        ("hold; inc n -3", "remove n", "n", json!(-3)),
        ("hold; max n 12", "write n 11", "n", json!(12)),
        ("hold; max n 12", "write n 13", "n", json!(13)),
        ("hold; push l 4", "push l 3", "l", json!([2, 3, 4])),
        ("hold; add l 4", "add l 4", "l", json!([1, 2, 4])),
        ("hold; add l 4", "remove l", "l", json!([4])),
        ("hold; discard l 1", "push l 3", "l", json!([2, 3])),
        ("hold; discard l 1", "remove l", "l", json!(null)),
    ] {
        let token = world.run(NOBODY, "write n 10; write l [1,2]").await.token();
        let held = world.hold(&token, steps).await;
        assert_eq!(world.run(&token, meanwhile).await.status, 200);
        assert_eq!(held.release().await.status, 200, "{steps}, {meanwhile}");
        assert_eq!(world.run(&token, &format!("read {key}")).await.one(), then, "{steps}, {meanwhile}");
        assert_eq!(world.run(&token, "version").await.one(), 3, "one commit each");
    }
}

async fn operations_of_one_request_follow_one_another(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let held = world.hold(&token, "hold; inc n 1; max n 10; inc n 1; push l 1; add l 2; discard l 1").await;
    assert_eq!(world.run(&token, "write n 3; write l [0]").await.status, 200);
    let _ = held.release().await;
    assert_eq!(world.run(&token, "read n; read l").await.told(), [json!(11), json!([0, 2])]);
}

async fn the_handler_sees_what_it_would_come_to(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write n 10").await.token();
    let held = world.hold(&token, "inc n 1; read n; keys; hold; save; read n; inc n 1; read n").await;
    let _ = world.run(&token, "inc n 100").await;
    let told = held.release().await.told();
    let seen = [json!(11), json!(["n"]), json!(3), json!(111), json!(112)];
    assert_eq!(told, seen, "before the commit by what was loaded, after it by what is stored");
    assert_eq!(world.run(&token, "read n").await.one(), 112);
}

async fn an_operation_never_conflicts_whatever_the_policy(setup: Setup) {
    let world = setup.start().await;
    for policy in ["merge", "strict", "last"] {
        let token = world.run(NOBODY, "write n 1").await.token();
        let held = world.hold(&token, &format!("policy {policy}; read n; hold; inc n 1")).await;
        let _ = world.run(&token, "inc n 1").await;
        assert_eq!(held.release().await.status, 200, "{policy}");
        assert_eq!(world.run(&token, "read n").await.one(), 3, "{policy}");
    }
}

async fn a_value_that_does_not_fit_is_refused_and_changes_nothing(setup: Setup) {
    let world = setup.start().await;
    let start = r#"write s "text"; write f 1.5; write big 9007199254740991; write o {"a":1}; write n null"#;
    let token = world.run(NOBODY, start).await.token();
    for steps in
        ["inc s 1", "inc f 1", "max o 1", "inc big 1", "push o 1", "add s 1", "discard big 1", "inc n 1"]
    {
        let answer = world.run(&token, &format!("write a 1; {steps}")).await;
        assert_eq!(answer.status, 500, "{steps}: {answer:?}");
        assert_eq!(world.run(&token, "version").await.one(), 1, "{steps}");
    }
}

async fn a_value_that_others_made_unfit_is_a_conflict(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write n 1").await.token();
    for (steps, unfit) in [
        ("inc n 1", r#""x""#),
        ("max n 1", "[1]"),
        ("inc n 1", "9007199254740991"),
        ("push m 1", "2"),
        ("add m 1", r#""[]""#),
        ("discard m 1", "2.5"),
    ] {
        let key = steps.split(' ').nth(1).unwrap();
        let _ = world.run(&token, &format!("write n 1; write m [{}]", 1)).await;
        let held = world.hold(&token, &format!("write a 1; {steps}; hold")).await;
        let _ = world.run(&token, &format!("write {key} {unfit}")).await;
        let answer = held.release().await;
        assert_eq!(answer.status, 409, "{steps}: {answer:?}");
        assert_eq!(answer.headers["session-conflict"], key, "{steps}");
        assert_eq!(world.run(&token, "read a").await.one(), json!(null), "{steps}: all or nothing");
    }
}

async fn two_hundred_increments_over_two_instances_are_two_hundred(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_replay_for(Duration::from_secs(30))).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let instances = [world.another_instance(), world.another_instance()];
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let (instance, token) = (instances[n % 2].clone(), token.clone());
            let steps = if n % 4 < 2 { "read n; inc n 1" } else { "read n; count n" };
            tokio::spawn(async move { instance.run(&token, steps).await })
        })
        .collect();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(world.run(&token, "read n; version").await.told(), [json!(200), json!(201)]);
}

/// Neither through Lua's numbers nor through its tables.
async fn texts_pass_unchanged(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let odd = [r#"{"a":[]}"#, "123456789012346", r#""],[\"\\""#, "[[],{}]", "1e300", r#""é\u0000""#, "0.10"];
    for element in odd {
        let element = serde_json::from_str::<serde_json::Value>(element).unwrap();
        for write in ["add", "add", "push"] {
            assert_eq!(world.run(&token, &format!("{write} {write} {element}")).await.status, 200);
        }
        let set = world.run(&token, "read add").await.one();
        assert_eq!(set.as_array().unwrap().iter().filter(|other| **other == element).count(), 1, "{set}");
        let list = world.run(&token, "read push").await.one();
        assert_eq!(list.as_array().unwrap().last(), Some(&element));
        assert!(list.as_array().unwrap().len() <= 3);
    }
    let set = world.run(&token, "read add").await.one();
    assert_eq!(set.as_array().unwrap().len(), odd.len(), "{set}");
    for element in set.as_array().unwrap() {
        assert_eq!(world.run(&token, &format!("discard add {element}")).await.status, 200);
    }
    assert_eq!(world.run(&token, "read add").await.one(), json!([]), "and not an object");
    for (by, sum) in [
        (9_007_199_254_740_990_i64, 9_007_199_254_740_990_i64),
        (1, 9_007_199_254_740_991),
        (-9_007_199_254_740_991, 0),
    ] {
        assert_eq!(world.run(&token, &format!("inc exact {by}")).await.status, 200);
        assert_eq!(world.run(&token, "read exact").await.one(), sum);
    }
}

async fn operations_of_a_visitor_begin_a_session(setup: Setup) {
    let world = setup.start().await;
    assert_eq!(world.run(NOBODY, "discard l 1").await.cookie_line(), None, "there is nothing to store");
    let token = world.run(NOBODY, "inc n 2; inc n 1; push l 1; max m -4; discard l 1").await.token();
    let told = world.run(&token, "read n; read l; read m; version").await.told();
    assert_eq!(told, [json!(3), json!([]), json!(-4), json!(1)]);
}

async fn operations_are_carried_over_a_sign_in(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write n 10; write m 10").await.token();
    let held = world.hold(&token, "inc n 1; inc m 1; hold; login alice n").await;
    let _ = world.run(&token, "inc n 5").await;
    let new = held.release().await.token();
    assert_eq!(world.run(&new, "read n; read m").await.told(), [json!(16), json!(null)]);
}

async fn operations_meet_a_clear_a_write_and_an_update(setup: Setup) {
    let world = setup.start().await;
    for (steps, then) in [
        ("inc n 1; hold; clear; inc n 1", json!(1)),
        ("inc n 1; hold; write n 50; inc n 1", json!(51)),
        ("inc n 1; hold; count n", json!(102)),
        ("count n; hold; inc n 5", json!(106)),
        ("inc n 1; hold; remove n", json!(null)),
        ("remove n; hold; inc n 7", json!(7)),
    ] {
        let token = world.run(NOBODY, "write n 1; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        let _ = world.run(&token, "write n 100").await;
        assert_eq!(held.release().await.status, 200, "{steps}");
        assert_eq!(world.run(&token, "read n").await.one(), then, "{steps}");
    }
}

async fn a_second_save_counts_once(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "inc n 1; save; inc n 1; save; save").await.token();
    assert_eq!(world.run(&token, "read n; version").await.told(), [json!(2), json!(2)]);
}

/// What a handler read of its own update is made of what others wrote.
async fn a_value_derived_from_an_update_is_guarded(setup: Setup) {
    let world = setup.start().await;
    for first in ["count n", "inc n 1"] {
        let token = world.run(NOBODY, "write n 1").await.token();
        let held = world.hold(&token, &format!("{first}; read n; write n 20; hold")).await;
        let _ = world.run(&token, "write n 7").await;
        assert_eq!(held.release().await.status, 409, "{first}: 20 was made of the 1 that is 7 now");
    }
}

async fn an_operation_costs_what_a_write_costs(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "inc n 1").await.token();
    // So that the server knows the script.
    let _ = world.run(&token, "write a 1").await;
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run(&token, "inc n 1; max m 2; push l 1").await.status, 200);
    // Nothing of the session is taken apart: the client knew what they start from.
    let write = [("evalsha", 1), ("hvals", 1), ("hget", 1), ("hset", 1), ("get", 2), ("pexpire", 2)];
    let expected = [&write[..], &[("pexpiretime", 1), ("time", 1)]].concat();
    assert_eq!(world.commands().into_iter().collect::<Vec<_>>(), calls(&expected));
}
