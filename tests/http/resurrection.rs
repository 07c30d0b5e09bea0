//! A request under way never brings an ended session back (B6, B7; CVE-2025-46336).

use serde_json::{Value, json};

use crate::harness::{Answer, NOBODY, Setup, World};

everywhere!(
    a_write_does_not_resurrect,
    a_read_does_not_resurrect,
    a_late_logout_of_an_ended_session_is_content,
    the_handler_learns_from_save_that_it_is_over,
    sixty_four_requests_under_way_do_not_resurrect,
    logouts_and_writes_at_random_end_with_nobody,
);
on_redis!(
    a_session_that_expires_under_way_does_not_come_back,
    a_new_epoch_ends_requests_under_way,
    without_its_tombstone_a_session_stays_dead,
);

/// Everything that changes a session.
const CHANGES: [&str; 8] = [
    "read a; hold; write a 2",
    "hold; write b 2",
    "hold; count a",
    "hold; remove a",
    "hold; clear",
    "hold; renew",
    "hold; login bob",
    "write a 2; hold; renew",
];

/// No session, no cookie that is worth anything, whichever token is shown.
async fn over(world: &World, dead: &str, answer: &Answer) {
    assert_eq!(answer.issued(), None, "{answer:?}");
    assert!(!world.holds(dead).await);
    assert_eq!(world.sessions(), 0);
    assert_eq!(
        world.run(dead, "user; keys; read a; new").await.told()[..3],
        [Value::Null, json!([]), Value::Null]
    );
}

async fn a_write_does_not_resurrect(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for end in ["logout", "destroy"] {
        for steps in CHANGES {
            let token = world.run(NOBODY, "login alice; write a 1").await.token();
            let held = world.hold(&token, steps).await;
            assert!(other.run(&token, end).await.removes_cookie());
            let answer = held.release().await;
            assert_eq!(answer.status, 409, "{end} during {steps}: {answer:?}");
            assert!(answer.removes_cookie(), "{end} during {steps}: {answer:?}");
            over(&world, &token, &answer).await;
        }
    }
}

async fn a_read_does_not_resurrect(setup: Setup) {
    let world = setup.start().await;
    for steps in ["read a; hold; read a", "hold; keys; user; read a", "hold; read a; write a 2; status 500"] {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        world.run(&token, "logout").await;
        let answer = held.release().await;
        assert_eq!(answer.status, if steps.contains("500") { 500 } else { 200 }, "{steps}");
        assert_eq!(answer.cookie_line(), None, "{steps}");
        over(&world, &token, &answer).await;
    }
}

async fn a_late_logout_of_an_ended_session_is_content(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let held = world.hold(&token, "write a 2; hold; logout").await;
    world.run(&token, "logout").await;
    let answer = held.release().await;
    assert_eq!(answer.status, 200);
    assert!(answer.removes_cookie());
    over(&world, &token, &answer).await;
}

async fn the_handler_learns_from_save_that_it_is_over(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let held = world.hold(&token, "read a; write a 2; hold; save; read a; user; ended; save").await;
    world.run(&token, "logout").await;
    let answer = held.release().await;
    let gone = json!({ "gone": "logged_out" });
    assert_eq!(answer.told(), [json!(1), gone, Value::Null, Value::Null, json!("logged_out"), Value::Null]);
    assert!(answer.removes_cookie(), "{answer:?}");
    over(&world, &token, &answer).await;
}

async fn sixty_four_requests_under_way_do_not_resurrect(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let mut held = Vec::new();
    for steps in CHANGES.iter().cycle().take(64) {
        held.push(world.hold(&token, steps).await);
    }
    assert!(world.run(&token, "logout").await.removes_cookie());
    let tasks: Vec<_> = held.into_iter().map(|held| tokio::spawn(held.release())).collect();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!((answer.status, answer.issued()), (409, None), "{answer:?}");
    }
    assert!(!world.holds(&token).await);
    assert_eq!(world.sessions(), 0);
}

async fn logouts_and_writes_at_random_end_with_nobody(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for round in 0..20 {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (instance, token) =
                    (if n % 2 == 0 { (*world).clone() } else { other.clone() }, token.clone());
                let steps =
                    if n == 3 + round % 12 { "logout" } else { "read b; yield; count a; yield; write b 1" };
                tokio::spawn(async move { (n, instance.run(&token, steps).await) })
            })
            .collect();
        for task in tasks {
            let (n, answer) = task.await.unwrap();
            // A visitor whose session is over before he writes gets a new one: nobody's.
            if let Some(token) = answer.issued() {
                assert_eq!(world.run(&token, "user").await.one(), Value::Null, "request {n}");
                assert!(world.run(&token, "logout").await.removes_cookie());
            }
        }
        assert!(!world.holds(&token).await, "round {round}");
        assert_eq!(world.run(&token, "user").await.one(), Value::Null);
        assert_eq!(world.sessions(), 0, "round {round}");
    }
}

async fn a_session_that_expires_under_way_does_not_come_back(setup: Setup) {
    let world = setup.start().await;
    for steps in CHANGES {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        world.redis().command(&["DEL", &world.key("s", &token).unwrap()]).unwrap();
        let answer = held.release().await;
        assert_eq!(answer.status, 409, "{steps}: {answer:?}");
        assert!(answer.removes_cookie(), "{steps}: {answer:?}");
        over(&world, &token, &answer).await;
    }
}

async fn a_new_epoch_ends_requests_under_way(setup: Setup) {
    let world = setup.start().await;
    for steps in CHANGES {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        for epoch in world.keys("*:epoch") {
            world.redis().command(&["INCR", &epoch]).unwrap();
        }
        let answer = held.release().await;
        assert_eq!((answer.status, answer.issued()), (409, None), "{steps}: {answer:?}");
        assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("epoch")], "{steps}");
        assert!(!world.holds(&token).await);
        let fresh = world.run(&token, "write a 1").await.token();
        assert_eq!(world.run(&fresh, "read a").await.one(), 1, "what is made now is of the new epoch");
    }
}

async fn without_its_tombstone_a_session_stays_dead(setup: Setup) {
    let world = setup.start().await;
    for steps in CHANGES {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, steps).await;
        world.run(&token, "logout").await;
        world.redis().command(&["DEL", &world.key("x", &token).unwrap()]).unwrap();
        let answer = held.release().await;
        assert_eq!(answer.status, 409, "{steps}: {answer:?}");
        over(&world, &token, &answer).await;
    }
}
