//! A message that is shown once.

use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup};

everywhere!(
    a_value_is_taken_once,
    of_many_requests_one_gets_it,
    taking_waits_for_no_other_change,
    a_newer_value_is_taken,
    a_value_of_ones_own_is_taken_without_a_round_trip,
    nothing_is_taken_from_a_session_that_ended,
);
on_redis!(looking_for_a_message_costs_nothing);

async fn a_value_is_taken_once(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, r#"write flash "saved""#).await.token();
    assert_eq!(
        world.run(&token, "take flash; take flash; keys").await.told(),
        [json!("saved"), Value::Null, json!([])]
    );
    assert_eq!(world.run(&token, "take flash; version").await.told(), [Value::Null, json!(2)]);
}

async fn of_many_requests_one_gets_it(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    let token = world.run(NOBODY, "write flash 1; write n 0").await.token();
    // All have loaded it before one of them takes it.
    let mut held = Vec::new();
    for n in 0..32 {
        let instance = if n % 2 == 0 { &*world } else { &other };
        held.push(instance.hold(&token, "hold; take flash; inc n 1").await);
    }
    let tasks: Vec<_> = held.into_iter().map(|held| tokio::spawn(held.release())).collect();
    let mut got = Vec::new();
    for task in tasks {
        got.push(task.await.unwrap().one());
    }
    assert_eq!(got.iter().filter(|value| **value == 1).count(), 1, "{got:?}");
    assert_eq!(got.iter().filter(|value| value.is_null()).count(), 31, "the others none, and no conflict");
    assert_eq!(world.run(&token, "read n; keys").await.told(), [json!(32), json!(["n"])]);
}

async fn taking_waits_for_no_other_change(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write flash 1; write a 1").await.token();
    let answer = world.run(&token, "write a 2; take flash; status 500").await;
    assert_eq!(answer.status, 500);
    assert_eq!(world.run(&token, "read a; read flash").await.told(), [json!(1), Value::Null]);
    let told = world.run(&token, "write flash 2; save; write a 3; take flash; read a").await.told();
    assert_eq!(told, [json!(3), json!(2), json!(3)]);
    assert_eq!(world.run(&token, "read a; version").await.told(), [json!(3), json!(5)]);
}

async fn a_newer_value_is_taken(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write flash 1").await.token();
    let held = world.hold(&token, "read flash; hold; take flash").await;
    let _ = world.run(&token, "write flash 2").await;
    assert_eq!(held.release().await.told(), [json!(1), json!(2)]);
    assert_eq!(world.run(&token, "keys").await.one(), json!([]));
}

async fn a_value_of_ones_own_is_taken_without_a_round_trip(setup: Setup) {
    let world = setup.start().await;
    assert_eq!(
        world.run(NOBODY, "write flash 1; take flash").await.cookie_line(),
        None,
        "nothing is left to store"
    );
    let token = world.run(NOBODY, "write a 1").await.token();
    assert_eq!(
        world.run(&token, "write flash 1; take flash; take flash").await.told(),
        [json!(1), Value::Null]
    );
    let token = world.run(&token, "login alice; write flash 2; take flash; user").await.token();
    assert_eq!(world.run(&token, "keys").await.one(), json!([]));
}

async fn nothing_is_taken_from_a_session_that_ended(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write flash 1").await.token();
    let held = world.hold(&token, "hold; take flash; ended").await;
    let _ = world.run(&token, "logout").await;
    let answer = held.release().await;
    assert_eq!(answer.told(), [Value::Null, json!("logged_out")]);
    assert!(answer.removes_cookie());
    assert_eq!(world.sessions(), 0);
}

async fn looking_for_a_message_costs_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run(&token, "take flash").await.one(), Value::Null);
    assert_eq!(world.commands().get("evalsha"), None);
}
