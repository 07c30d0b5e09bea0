//! Two requests change one session at a time (the default policy).

use std::time::Duration;

use cloakroom::manager::SessionConfig;
use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup};

everywhere!(
    changes_of_different_keys_both_happen,
    a_key_that_was_read_and_changed_by_another_is_a_conflict,
    a_conflict_commits_nothing_at_all,
    a_write_without_a_read_wins,
    a_key_that_was_only_read_is_no_conflict,
    every_commit_counts_once,
    an_update_is_run_again_on_the_newer_value,
    two_hundred_increments_are_two_hundred,
    two_hundred_increments_at_once_lose_none,
    a_save_tells_the_conflict,
    a_reload_drops_what_was_not_saved,
    a_clear_meets_a_write,
    what_a_request_cleared_itself_is_no_conflict,
    a_slow_request_meets_any_number_of_fast_ones,
);
by_the_clock!(a_request_slower_than_the_history_is_compared_by_value);

const START: &str = "write a 1; write b 1";

async fn what_a_request_cleared_itself_is_no_conflict(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for meanwhile in ["", "write b 3", "write a 3"] {
        let token = world.run(NOBODY, START).await.token();
        let request = world.hold(&token, "read a; hold; clear; save; write a 2").await;
        assert_eq!(other.run(&token, meanwhile).await.status, 200);
        assert_eq!(request.release().await.status, 200, "{meanwhile:?}");
        let told = world.run(&token, "read a; read b").await.told();
        assert_eq!(told, [json!(2), Value::Null], "{meanwhile:?}");
    }
}

async fn changes_of_different_keys_both_happen(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for (held, meanwhile, a, b) in [
        ("read a; hold; write a 2", "read b; write b 3", json!(2), json!(3)),
        ("read a; hold; remove a", "write b 3", Value::Null, json!(3)),
        ("hold; count a", "remove b", json!(2), Value::Null),
        ("read a; hold; write a 2; save", "count b", json!(2), json!(2)),
    ] {
        let token = world.run(NOBODY, START).await.token();
        let request = world.hold(&token, held).await;
        assert_eq!(other.run(&token, meanwhile).await.status, 200);
        let answer = request.release().await;
        assert_eq!((answer.status, answer.cookie_line()), (200, None), "{held} and {meanwhile}: {answer:?}");
        let told = world.run(&token, "read a; read b; version").await.told();
        assert_eq!(told, [a, b, json!(3)], "{held} and {meanwhile}");
    }
}

async fn a_key_that_was_read_and_changed_by_another_is_a_conflict(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for (held, meanwhile, a) in [
        ("read a; hold; write a 2", "write a 3", json!(3)),
        ("contains a; hold; write a 2", "write a 3", json!(3)),
        ("read a; hold; write a 2", "remove a", Value::Null),
        ("read a; hold; remove a", "write a 3", json!(3)),
        ("read a; write a 2; hold", "count a", json!(2)),
        ("read a; hold; write a 1", "write a 1", json!(1)),
        ("read a; hold; write a 2", "remove a; save; write a 3", json!(3)),
    ] {
        let token = world.run(NOBODY, START).await.token();
        let request = world.hold(&token, held).await;
        assert_eq!(other.run(&token, meanwhile).await.status, 200);
        let answer = request.release().await;
        assert_eq!(answer.status, 409, "{held} and {meanwhile}: {answer:?}");
        assert_eq!(answer.headers["session-conflict"], "a", "{held} and {meanwhile}");
        assert_eq!(answer.cookie_line(), None);
        assert_eq!(world.run(&token, "read a").await.one(), a, "{held} and {meanwhile}");
    }
    // A key that was not there when it was read.
    let token = world.run(NOBODY, START).await.token();
    let request = world.hold(&token, "read c; hold; write c 2").await;
    assert_eq!(other.run(&token, "write c 3").await.status, 200);
    assert_eq!(request.release().await.headers["session-conflict"], "c");
    assert_eq!(world.run(&token, "read c").await.one(), 3);
}

async fn a_conflict_commits_nothing_at_all(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, START).await.token();
    let request = world.hold(&token, "read a; read b; hold; write c 1; write a 2; write b 2; renew").await;
    assert_eq!(world.run(&token, "write a 3; write b 3").await.status, 200);
    let answer = request.release().await;
    assert_eq!((answer.status, answer.cookie_line()), (409, None));
    assert_eq!(answer.headers["session-conflict"], "a, b");
    assert_eq!(answer.headers["cache-control"], "private, no-store");
    let told = world.run(&token, "read a; read b; keys; version").await.told();
    assert_eq!(told, [json!(3), json!(3), json!(["a", "b"]), json!(2)]);
}

async fn a_write_without_a_read_wins(setup: Setup) {
    let world = setup.start().await;
    for (held, meanwhile, a) in [
        ("hold; write a 2", "write a 3", json!(2)),
        ("hold; write a 2", "remove a", json!(2)),
        ("hold; remove a", "write a 3", Value::Null),
        ("write a 2; read a; hold", "write a 3", json!(2)),
    ] {
        let token = world.run(NOBODY, START).await.token();
        let request = world.hold(&token, held).await;
        assert_eq!(world.run(&token, meanwhile).await.status, 200);
        assert_eq!(request.release().await.status, 200, "{held} and {meanwhile}");
        assert_eq!(world.run(&token, "read a").await.one(), a, "{held} and {meanwhile}");
    }
}

async fn a_key_that_was_only_read_is_no_conflict(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, START).await.token();
    let request = world.hold(&token, "read a; keys; hold; write b 2").await;
    assert_eq!(world.run(&token, "write a 3").await.status, 200);
    assert_eq!(request.release().await.status, 200);
    let told = world.run(&token, "read a; read b; version").await.told();
    assert_eq!(told, [json!(3), json!(2), json!(3)]);
}

async fn every_commit_counts_once(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1; write b 2; count c").await.token();
    for (steps, version) in [
        ("version", 1),
        ("write a 2; write b 3", 2),
        ("read a; keys", 2),
        ("count c; save; count c; save; save", 4),
        // What is not there can't be removed, and a page that clears its flash message each time is free.
        ("remove nothing", 4),
        ("remove a", 5),
        ("clear", 6),
        ("write a 1; status 500", 6),
        ("renew", 7),
    ] {
        let token = if version == 7 { world.run(&token, steps).await.token() } else { token.clone() };
        if version < 7 {
            world.run(&token, steps).await;
        }
        assert_eq!(world.run(&token, "version").await.one(), version, "{steps}");
    }
}

async fn an_update_is_run_again_on_the_newer_value(setup: Setup) {
    let world = setup.start().await;
    for (held, meanwhile, a) in [
        ("count a; hold", "count a", 3),
        ("count a; count a; hold", "write a 10", 12),
        ("read a; count a; hold", "count a; save; count a", 4),
        ("count a; hold", "remove a", 1),
        ("write b 2; count a; hold", "write a 5; write b 7", 6),
        ("count a; save; hold; count a", "count a", 4),
    ] {
        let token = world.run(NOBODY, START).await.token();
        let request = world.hold(&token, held).await;
        assert_eq!(world.run(&token, meanwhile).await.status, 200);
        let answer = request.release().await;
        assert_eq!(answer.status, 200, "{held} and {meanwhile}: {answer:?}");
        assert_eq!(world.run(&token, "read a").await.one(), a, "{held} and {meanwhile}");
    }
    // A plain write of a read key beside it can't be run again.
    let token = world.run(NOBODY, START).await.token();
    let request = world.hold(&token, "count a; read b; write b 2; hold").await;
    assert_eq!(world.run(&token, "count a; count b").await.status, 200);
    let answer = request.release().await;
    assert_eq!(answer.status, 409);
    assert_eq!(world.run(&token, "read a; read b").await.told(), [json!(2), json!(2)]);
}

/// Sixteen at a time on two instances, so that nearly every one is run again.
async fn two_hundred_increments_are_two_hundred(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_replay_for(Duration::from_secs(30))).await;
    let other = world.another_instance();
    let token = world.run(NOBODY, "write n 0").await.token();
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let instance = if client % 2 == 0 { (*world).clone() } else { other.clone() };
            let token = token.clone();
            let requests = 200 / 16 + usize::from(client < 200 % 16);
            tokio::spawn(async move {
                for _ in 0..requests {
                    let answer = instance.run(&token, "yield; count n; yield").await;
                    assert_eq!((answer.status, answer.cookie_line()), (200, None), "{answer:?}");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(world.run(&token, "read n; version").await.told(), [json!(200), json!(201)]);
}

/// All of them are loaded before the first commits. What is refused is not counted; the rest is, once.
async fn two_hundred_increments_at_once_lose_none(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_replay_for(Duration::from_secs(30))).await;
    let other = world.another_instance();
    let token = world.run(NOBODY, "write n 0").await.token();
    let mut held = Vec::new();
    for n in 0..200 {
        let instance = if n % 2 == 0 { &*world } else { &other };
        held.push(instance.hold(&token, "count n; hold").await);
    }
    let tasks: Vec<_> = held.into_iter().map(|held| tokio::spawn(held.release())).collect();
    let mut counted = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!((answer.status, answer.cookie_line()), (200, None), "after {counted}: {answer:?}");
        counted += 1;
    }
    assert_eq!(world.run(&token, "read n; version").await.told(), [json!(counted), json!(counted + 1)]);
}

async fn a_save_tells_the_conflict(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, START).await.token();
    let request = world.hold(&token, "read a; write a 2; hold; save; reload; read a; write a 5; save").await;
    assert_eq!(world.run(&token, "write a 3").await.status, 200);
    let told = request.release().await.told();
    assert_eq!(told, [json!(1), json!({ "conflict": ["a"] }), json!(3), json!(3)]);
    assert_eq!(world.run(&token, "read a").await.one(), 5);
}

async fn a_reload_drops_what_was_not_saved(setup: Setup) {
    let world = setup.start().await;
    let answer = world.run(NOBODY, "write a 1; reload; read a").await;
    assert_eq!((answer.one(), answer.cookie_line()), (Value::Null, None));
    let token = world.run(NOBODY, START).await.token();
    assert_eq!(world.run(&token, "write a 7; login bob; reload; read a; user").await.told()[1], Value::Null);
    assert_ne!(world.run(&token, "read a").await.one(), json!(7));
}

async fn a_clear_meets_a_write(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1; write b 1").await.token();
    let request = world.hold(&token, "hold; clear; write c 1").await;
    assert_eq!(world.run(&token, "write a 2; write d 2").await.status, 200);
    assert_eq!(request.release().await.status, 200);
    let told = world.run(&token, "keys; user; version").await.told();
    assert_eq!(told, [json!(["c"]), json!("alice"), json!(3)]);
}

/// A store remembers the last 32 commits of a session; a request may well take longer than that.
async fn a_slow_request_meets_any_number_of_fast_ones(setup: Setup) {
    let world = setup.start().await;
    for (steps, key, then, status) in [
        ("read a; hold; write a 2", "a", json!(2), 200),
        ("hold; count n", "n", json!(41), 200),
        ("read n; hold; write n 9", "n", json!(40), 409),
    ] {
        let token = world.run(NOBODY, START).await.token();
        let held = world.hold(&token, steps).await;
        for _ in 0..40 {
            assert_eq!(world.run(&token, "count n").await.status, 200);
        }
        let answer = held.release().await;
        assert_eq!(answer.status, status, "{steps}: {answer:?}");
        assert_eq!(world.run(&token, &format!("read {key}")).await.one(), then, "{steps}");
    }
}

/// Forty commits in forty seconds: the store can't place what this request loaded any more, but it knows that
/// the request's own commit was none of them.
async fn a_request_slower_than_the_history_is_compared_by_value(setup: Setup) {
    let world = setup.start().await;
    for (steps, key, then, status) in [
        ("read a; hold; write a 2", "a", json!(2), 200),
        ("read b; hold; write b 2", "b", json!(2), 200),
        ("hold; count n", "n", json!(41), 200),
        ("hold; inc n 5; renew", "n", json!(45), 200),
        ("read n; hold; write n 9", "n", json!(40), 409),
        ("read gone; hold; write gone 9", "gone", json!(null), 409),
        ("policy strict; hold; write z 9", "z", json!(null), 409),
        ("hold; logout", "user", json!(null), 200),
    ] {
        let token = world.run(NOBODY, "login alice; write a 1; write gone 1").await.token();
        let held = world.hold(&token, steps).await;
        let _ = world.run(&token, "remove gone").await;
        for _ in 0..40 {
            world.clock.advance(Duration::from_secs(1));
            assert_eq!(world.run(&token, "count n").await.status, 200);
        }
        let answer = held.release().await;
        assert_eq!(answer.status, status, "{steps}: {answer:?}");
        let token = answer.issued().unwrap_or(token);
        assert_eq!(world.run(&token, &format!("read {key}")).await.one(), then, "{steps}");
    }
}
