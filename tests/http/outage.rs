//! Redis is away: nothing is let through, nothing is lost by the client, and nothing is told (D6, D7, D8).

use std::time::{Duration, Instant};

use cloakroom::manager::{Load, SessionConfig};
use http::header::{RETRY_AFTER, SET_COOKIE};
use serde_json::{Value, json};

use crate::harness::{Answer, NOBODY, Setup, World};

on_redis!(
    without_redis_the_handler_does_not_run,
    without_redis_visitors_are_served_until_they_write,
    after_a_restart_the_same_process_works,
    a_silent_redis_is_waited_for_so_long_and_no_longer,
    a_commit_that_fails_is_no_success,
    a_logout_that_fails_is_no_success,
    a_full_redis_refuses_writes_and_takes_logouts,
    a_replica_is_no_place_for_sessions,
    a_lazy_session_without_redis,
    the_retry_after_is_configurable,
);

const BRIEF: Duration = Duration::from_millis(300);

/// 503, without a word about the cookie or about what is behind it.
#[track_caller]
fn unavailable(world: &World, answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers.get(RETRY_AFTER).unwrap(), "1");
    assert!(!answer.headers.contains_key(SET_COOKIE), "{answer:?}");
    let text = format!("{answer:?}").to_lowercase();
    let port = world.redis().port().to_string();
    for word in
        ["127.0.0.1", &port, "redis", "refused", "os error", "connection", "timed out", "oom", "readonly"]
    {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

async fn without_redis_the_handler_does_not_run(setup: Setup) {
    let mut world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.redis_mut().kill().unwrap();
    for steps in ["panic", "user; panic", "write a 1; panic", "logout; panic"] {
        unavailable(&world, &world.run(&token, steps).await);
    }
    unavailable(&world, &world.run_static(&token, "panic").await);
}

async fn without_redis_visitors_are_served_until_they_write(setup: Setup) {
    let mut world = setup.start().await;
    world.redis_mut().kill().unwrap();
    assert_eq!(world.run(NOBODY, "user; read a").await.told(), [Value::Null, Value::Null]);
    for steps in ["write a 1", "login alice", "count a; status 404"] {
        unavailable(&world, &world.run(NOBODY, steps).await);
    }
}

async fn after_a_restart_the_same_process_works(setup: Setup) {
    let mut world = setup.durable().start().await;
    let other = world.another_instance();
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    for round in 2..5 {
        world.redis_mut().kill().unwrap();
        for instance in [&*world, &other] {
            unavailable(&world, &instance.run(&token, "panic").await);
        }
        world.redis_mut().restart().unwrap();
        assert_eq!(other.run(&token, "user; read a").await.told(), [json!("alice"), json!(round - 1)]);
        // The scripts are gone from the server, too.
        assert_eq!(world.run(&token, "count a; save").await.one(), round);
    }
}

async fn a_silent_redis_is_waited_for_so_long_and_no_longer(setup: Setup) {
    let world = setup.timeout(BRIEF).start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.redis().pause().unwrap();
    for (token, steps) in [(&*token, "panic"), (NOBODY, "write a 1"), (&token, "panic")] {
        let begun = Instant::now();
        unavailable(&world, &world.run(token, steps).await);
        let took = begun.elapsed();
        assert!((BRIEF..BRIEF + Duration::from_secs(2)).contains(&took), "{steps}: {took:?}");
    }
    world.redis().resume().unwrap();
    assert_eq!(world.run(&token, "user").await.one(), "alice");
}

async fn a_commit_that_fails_is_no_success(setup: Setup) {
    let world = setup.timeout(BRIEF).start().await;
    for steps in
        ["read a; hold; write a 2", "hold; count a", "hold; login bob *", "hold; renew", "hold; clear"]
    {
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, steps).await;
        world.redis().pause().unwrap();
        let answer = held.release().await;
        unavailable(&world, &answer);
        world.redis().resume().unwrap();
        // It may have happened or not, but it did not happen by half.
        let told = world.run(&token, "version; read a; user; keys; ended").await.told();
        let before = json!([1, 1, null, ["a"], null]);
        let after = match steps {
            "hold; login bob *" => json!([null, null, null, [], "replaced"]),
            "hold; renew" => json!([2, 1, null, ["a"], null]),
            "hold; clear" => json!([2, null, null, [], null]),
            _ => json!([2, 2, null, ["a"], null]),
        };
        let told = Value::Array(told);
        assert!(told == before || told == after, "{steps}: {told}");
    }
}

async fn a_logout_that_fails_is_no_success(setup: Setup) {
    let mut world = setup.durable().start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    for steps in ["hold; logout", "hold; logout; status 500", "hold; destroy; status 302"] {
        let held = world.hold(&token, steps).await;
        world.redis_mut().kill().unwrap();
        unavailable(&world, &held.release().await);
        world.redis_mut().restart().unwrap();
        assert_eq!(world.run(&token, "user").await.one(), "alice", "{steps}");
    }
    assert!(world.run(&token, "logout").await.removes_cookie());
}

async fn a_full_redis_refuses_writes_and_takes_logouts(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let limit = |bytes: &str| world.redis().command(&["CONFIG", "SET", "maxmemory", bytes]).unwrap();
    limit("1");
    assert_eq!(world.run(&token, "user").await.one(), "alice");
    for (token, steps) in [(&*token, "write a 1"), (NOBODY, "write a 1"), (&token, "renew")] {
        unavailable(&world, &world.run(token, steps).await);
    }
    assert!(world.run(&token, "logout").await.removes_cookie());
    assert!(!world.holds(&token).await);
    limit("0");
    assert_eq!(world.run(NOBODY, "write a 1; save").await.one(), 1);
}

async fn a_replica_is_no_place_for_sessions(setup: Setup) {
    let world = setup.timeout(BRIEF).start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let held = world.hold(&token, "hold; write a 1").await;
    world.redis().command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    unavailable(&world, &world.run(&token, "panic").await);
    unavailable(&world, &held.release().await);
    world.redis().command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    assert_eq!(world.run(&token, "user; keys").await.told(), [json!("alice"), json!([])]);
}

async fn a_lazy_session_without_redis(setup: Setup) {
    let mut world = setup.with(SessionConfig::default().with_load(Load::Lazy)).await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.redis_mut().kill().unwrap();
    assert_eq!(world.run_static(&token, "status 200").await.status, 200);
    let answer = world.run(&token, "user; panic").await;
    assert_eq!((answer.status, answer.cookie_line()), (503, None));
}

async fn the_retry_after_is_configurable(setup: Setup) {
    let config = SessionConfig::default().with_retry_after(Duration::from_secs(7));
    let mut world = setup.with(config).await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.redis_mut().kill().unwrap();
    assert_eq!(world.run(&token, "panic").await.headers[RETRY_AFTER], "7");
    assert_eq!(world.run(NOBODY, "write a 1").await.headers[RETRY_AFTER], "7");
}
