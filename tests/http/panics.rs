//! A handler that panics commits nothing, and the service lives on (D4).

use serde_json::{Value, json};

use crate::harness::{Instance, NOBODY, Setup};

everywhere!(a_panic_commits_nothing, a_panic_after_a_save_keeps_what_was_saved);
axum_only!(a_caught_panic_is_a_failed_request);
actix_only!(a_caught_panic_is_a_failed_request);

/// A request of which the server sees nothing but a panic.
async fn panics(instance: &Instance, token: &str, steps: &str) {
    let (instance, token, steps) = (instance.clone(), token.to_owned(), format!("{steps}; panic"));
    let task = tokio::spawn(async move { instance.run(&token, &steps).await });
    assert!(task.await.unwrap_err().is_panic());
}

async fn a_panic_commits_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for steps in ["write a 2", "remove a", "clear", "count a; write b 1", "login bob *", "renew"] {
        panics(&world, &token, steps).await;
        panics(&world, NOBODY, steps).await;
        let told = world.run(&token, "read a; keys; user; version").await.told();
        assert_eq!(told, [json!(1), json!(["a"]), Value::Null, json!(1)], "{steps}");
        assert_eq!(world.sessions(), 1, "{steps}");
    }
    assert_eq!(world.run(&token, "write a 2; save").await.one(), 2);
}

async fn a_panic_after_a_save_keeps_what_was_saved(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    panics(&world, &token, "write a 2; save; write a 3").await;
    assert_eq!(world.run(&token, "read a; version").await.told(), [json!(2), json!(2)]);
    panics(&world, &token, "logout; save").await;
    assert!(!world.holds(&token).await);
    assert_eq!(world.run(&token, "keys").await.one(), json!([]));
}

/// With something between the handler and the session layer that catches panics.
async fn a_caught_panic_is_a_failed_request(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let answer = world.run_on("/caught", &token, "write a 2; panic").await;
    assert_eq!((answer.status, answer.cookie_line()), (500, None));
    assert_eq!(world.run(&token, "user; read a").await.told(), [json!("alice"), json!(1)]);
    let answer = world.run_on("/caught", &token, "write a 2; logout; panic").await;
    assert_eq!(answer.status, 500);
    assert!(answer.removes_cookie());
    assert!(!world.holds(&token).await);
}
