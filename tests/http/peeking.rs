//! Routes that don't keep a session alive.

use std::time::{Duration, Instant};

use cloakroom::{
    manager::{Load, SessionConfig},
    store::Touch,
};
use serde_json::{Value, json};

use crate::{
    commands::{calls, counted},
    harness::{NOBODY, Setup},
};

everywhere!(
    polling_keeps_no_session_alive,
    a_polled_route_does_all_that_others_do,
    a_proof_anew_is_activity_on_any_route
);
by_the_clock!(
    what_is_left_is_told_and_not_prolonged,
    what_is_left_is_known_after_a_write_and_a_merge,
    other_routes_are_activity,
    a_layer_may_peek_at_everything,
    a_lazy_session_is_peeked_at_as_well,
    the_absolute_lifetime_goes_on
);
on_redis!(a_peek_restarts_nothing_in_redis, a_session_whose_end_was_taken_away_gets_one_again);

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

fn config() -> SessionConfig {
    SessionConfig::default().with_touch_by(|method, path| match (method, path) {
        ("POST", "/poll") => Touch::Peek,
        _ => Touch::Refresh,
    })
}

async fn polling_keeps_no_session_alive(setup: Setup) {
    const IDLE: Duration = Duration::from_millis(600);
    let world = setup.with(config().with_idle_timeout(IDLE).unwrap()).await;
    for steps in [
        "read a",
        "write a 2",
        "count n; save; count n",
        "renew",
        "take a; push l 1",
        "policy strict; write a 3",
    ] {
        let mut token = world.run(NOBODY, "login alice; write a 1").await.token();
        let begun = Instant::now();
        loop {
            if world.has_servers() {
                tokio::time::sleep(IDLE / 10).await;
            } else {
                world.clock.advance(IDLE / 10);
            }
            let answer = world.run_on("/poll", &token, &format!("user; {steps}")).await;
            // The end may fall between the load and the commit.
            if answer.status == 409 || answer.told()[0] == Value::Null {
                break;
            }
            token = answer.issued().unwrap_or(token);
            assert!(begun.elapsed() < 20 * IDLE, "kept alive by: {steps}");
        }
    }
}

async fn a_polled_route_does_all_that_others_do(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run_on("/poll", NOBODY, "login alice; write a 1").await.token();
    world.run_on("/poll", &token, "write b 2; count n").await;
    let told = world.run(&token, "user; read a; read b; read n; version").await.told();
    assert_eq!(told, [json!("alice"), json!(1), json!(2), json!(1), json!(2)]);
    assert!(world.run_on("/poll", &token, "logout").await.removes_cookie());
    assert_eq!(world.sessions(), 0);
}

/// A person did it.
async fn a_proof_anew_is_activity_on_any_route(setup: Setup) {
    const IDLE: Duration = Duration::from_secs(5);
    let world = setup.with(config().with_idle_timeout(IDLE).unwrap()).await;
    let token = world.run(NOBODY, "login alice").await.token();
    if world.has_servers() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    } else {
        world.clock.advance(Duration::from_secs(3));
    }
    let before = world.run_on("/poll", &token, "expires").await.one().as_u64().unwrap();
    let answer = world.run_on("/poll", &token, "prove otp; save; expires").await;
    assert_eq!(answer.told()[1], json!(5000));
    let after = world.run_on("/poll", &answer.token(), "expires").await.one().as_u64().unwrap();
    assert!(before < 5000 && (world.has_servers() || after == 5000), "{before} {after}");
}

async fn what_is_left_is_told_and_not_prolonged(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for minutes in (0..60).rev() {
        world.clock.advance(MINUTE);
        let left = world.run_on("/poll", &token, "expires").await.one();
        if minutes == 0 {
            assert_eq!(left, Value::Null);
        } else {
            assert_eq!(left, minutes * 60_000);
        }
    }
}

async fn what_is_left_is_known_after_a_write_and_a_merge(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    world.clock.advance(10 * MINUTE);
    let told = world.run_on("/poll", &token, "write a 2; save; expires").await.told();
    assert_eq!(told, [json!(2), json!(50 * 60_000)]);
    let mut request = crate::harness::request(&token, "count n; hold; write b 1; save; expires");
    *request.uri_mut() = "/poll".parse().unwrap();
    let held = world.hold_request(request).await;
    world.run_on("/poll", &token, "count n").await;
    world.clock.advance(MINUTE);
    assert_eq!(held.release().await.told(), [json!(4), json!(49 * 60_000)]);
    assert_eq!(world.run_on("/poll", &token, "read n; expires").await.told(), [json!(2), json!(49 * 60_000)]);
}

async fn other_routes_are_activity(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for (path, steps) in [("/do", ""), ("/static", ""), ("/do", "write a 2")] {
        world.clock.advance(HOUR - MINUTE);
        assert_eq!(world.run_on("/poll", &token, "expires").await.one(), 60_000);
        world.run_on(path, &token, steps).await;
        assert_eq!(world.run_on("/poll", &token, "expires").await.one(), 3_600_000, "{path} {steps}");
    }
    // By its method, too: a `GET` of the same path is no poll here.
    world.clock.advance(MINUTE);
    world.get(&token, "/poll").await;
    assert_eq!(world.run_on("/poll", &token, "expires").await.one(), 3_600_000);
}

async fn a_layer_may_peek_at_everything(setup: Setup) {
    let world = setup.with(SessionConfig::default().with_touch(Touch::Peek)).await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.clock.advance(HOUR / 2);
    assert_eq!(
        world.run(&token, "user; write a 1; reload; expires").await.told(),
        [json!("alice"), json!(1_800_000)]
    );
    let token = world.run(&token, "login alice").await.token();
    assert_eq!(world.run(&token, "expires").await.one(), 3_600_000, "a sign-in begins");
    world.clock.advance(HOUR);
    assert_eq!(world.run(&token, "user").await.one(), Value::Null);
}

async fn a_lazy_session_is_peeked_at_as_well(setup: Setup) {
    let world = setup.with(config().with_load(Load::Lazy)).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    world.clock.advance(HOUR / 2);
    assert_eq!(world.run_on("/poll", &token, "read a; expires").await.told(), [json!(1), json!(1_800_000)]);
    assert_eq!(world.run(&token, "read a; expires").await.told(), [json!(1), json!(3_600_000)]);
}

async fn the_absolute_lifetime_goes_on(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for _ in 0..47 {
        world.clock.advance(HOUR / 2);
        world.run(&token, "").await;
    }
    world.clock.advance(MINUTE);
    let told = world.run_on("/poll", &token, "expires; write a 2; save; expires").await.told();
    assert_eq!(told, [json!(29 * 60_000), json!(2), json!(29 * 60_000)]);
}

async fn a_peek_restarts_nothing_in_redis(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for path in ["/do", "/poll"] {
        world.run_on(path, &token, "write a 2").await;
    }
    let key = world.key("s", &token).unwrap();
    let expires = || world.redis().command(&["PEXPIRETIME", &key]).unwrap();
    let before = expires();
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run_on("/poll", &token, "read a").await.one(), 2);
    let peek = [("get", 1), ("hvals", 1), ("pexpiretime", 1), ("pttl", 1)];
    assert_eq!(world.commands().into_iter().collect::<Vec<_>>(), calls(&peek));
    world.redis().reset_stats().unwrap();
    world.run_on("/poll", &token, "write a 3").await;
    let costs = world.commands();
    assert_eq!((costs.get("pexpire"), costs.get("evalsha")), (None, Some(&1)), "{costs:?}");
    assert_eq!(expires(), before);
    let costs: Vec<_> = counted(&world, &token, "read a").await;
    assert!(costs.contains(&("pexpire".to_owned(), 1)), "{costs:?}");
    assert_ne!(expires(), before);
}

async fn a_session_whose_end_was_taken_away_gets_one_again(setup: Setup) {
    let world = setup.with(config()).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let key = world.key("s", &token).unwrap();
    for path in ["/poll", "/do"] {
        world.redis().command(&["PERSIST", &key]).unwrap();
        assert_eq!(world.run_on(path, &token, "read a").await.one(), 1);
        let left: u128 = world.redis().command(&["PTTL", &key]).unwrap().parse().unwrap();
        assert!((1..=HOUR.as_millis()).contains(&left), "{path}: {left}");
    }
}
