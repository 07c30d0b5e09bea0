//! Signing in makes a new session, and the old token is dead at once (B1, B2, B3, B8).

use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup};

everywhere!(
    a_planted_token_is_worth_nothing_after_the_sign_in,
    signing_in_again_changes_the_token_again,
    nothing_is_carried_over_unless_it_is_named,
    writes_of_the_same_request_are_carried_like_stored_ones,
    only_a_sign_in_makes_a_user,
    the_handler_sees_the_user_at_once,
    a_sign_in_that_fails_changes_nothing,
    of_two_sign_ins_with_one_session_one_wins,
    a_request_under_way_does_not_reach_the_new_session,
    a_carried_counter_counts_what_others_added,
    a_sign_in_after_a_logout_carries_nothing_over,
    what_was_read_before_a_sign_in_is_no_conflict_after_it,
    what_others_changed_before_a_sign_in_is_a_conflict_after_it,
);

/// WSTG-SESS-03, with forced cookies.
async fn a_planted_token_is_worth_nothing_after_the_sign_in(setup: Setup) {
    let world = setup.start().await;
    let planted = world.run(NOBODY, "write trap 1").await.token();
    let answer = world.run(&planted, "login victim").await;
    let token = answer.token();
    assert_ne!(token, planted);
    assert_eq!(world.sessions(), 1);
    assert_eq!(
        world.run(&token, "user; method; new").await.told(),
        [json!("victim"), json!("password"), json!(false)]
    );
    for instance in [(*world).clone(), world.another_instance()] {
        let told = instance.run(&planted, "user; keys; ended").await.told();
        assert_eq!(told, [Value::Null, json!([]), json!("replaced")]);
    }
    // What the attacker writes with it goes elsewhere.
    let answer = world.run(&planted, "write trap 2").await;
    assert!(![&planted, &token].contains(&&answer.token()));
    assert_eq!(world.run(&token, "read trap").await.one(), Value::Null);
}

async fn signing_in_again_changes_the_token_again(setup: Setup) {
    let world = setup.start().await;
    let mut tokens = vec![world.run(NOBODY, "login alice").await.token()];
    for steps in ["login alice", "login alice *", "login bob", "user; login bob; write a 1"] {
        let token = world.run(tokens.last().unwrap(), steps).await.token();
        assert!(!tokens.contains(&token), "{steps}");
        for dead in &tokens {
            assert_eq!(world.run(dead, "user").await.one(), Value::Null, "{steps}");
        }
        tokens.push(token);
    }
    assert_eq!(world.sessions(), 1);
    assert_eq!(world.run(tokens.last().unwrap(), "user; version").await.told(), [json!("bob"), json!(1)]);
}

async fn nothing_is_carried_over_unless_it_is_named(setup: Setup) {
    let world = setup.start().await;
    for (login, kept) in [
        ("login alice", json!([])),
        ("login alice cart", json!(["cart"])),
        ("login alice cart,theme,none", json!(["cart", "theme"])),
        ("login alice *", json!(["cart", "csrf", "theme"])),
        ("clear; login alice *", json!([])),
        ("remove csrf; login alice *", json!(["cart", "theme"])),
        ("login alice; login bob *", json!([])),
        ("login alice; write new 1; login bob *", json!(["new"])),
        ("login alice cart; login bob *", json!(["cart"])),
        ("login alice *; login bob cart", json!(["cart"])),
        ("login alice cart,theme; login bob cart,csrf", json!(["cart"])),
    ] {
        let before = world.run(NOBODY, "write cart 1; write csrf 2; write theme 3").await.token();
        let token = world.run(&before, login).await.token();
        assert_eq!(world.run(&token, "keys").await.one(), kept, "{login}");
    }
    let before = world.run(NOBODY, "write cart [1,2]").await.token();
    let token = world.run(&before, "login alice cart").await.token();
    assert_eq!(world.run(&token, "read cart").await.one(), json!([1, 2]));
}

async fn writes_of_the_same_request_are_carried_like_stored_ones(setup: Setup) {
    let world = setup.start().await;
    let before = world.run(NOBODY, "write cart 1; write other 1").await.token();
    let steps = "write cart 2; write new 3; login alice cart; write after 4";
    let token = world.run(&before, steps).await.token();
    let told = world.run(&token, "keys; read cart; read after").await.told();
    assert_eq!(told, [json!(["after", "cart"]), json!(2), json!(4)]);
}

/// B3: what a visitor leaves in his session decides nothing.
async fn only_a_sign_in_makes_a_user(setup: Setup) {
    let world = setup.start().await;
    let steps =
        r#"write user "admin"; write auth_at 1; write auth_method "password"; write v 9; write head "x""#;
    let token = world.run(NOBODY, steps).await.token();
    let told = world.run(&token, "user; method; read user; version").await.told();
    assert_eq!(told, [Value::Null, Value::Null, json!("admin"), json!(1)]);
    for nobody in ["login", &format!("login {}", "u".repeat(513))] {
        assert_eq!(world.run(&token, nobody).await.status, 413);
    }
    assert_eq!(world.run(&token, "user").await.one(), Value::Null);
}

async fn the_handler_sees_the_user_at_once(setup: Setup) {
    let world = setup.start().await;
    let before = world.run(NOBODY, "write cart 1; write csrf 2").await.token();
    let told =
        world.run(&before, "user; login alice cart; user; keys; save; user; method; keys").await.told();
    let carried = json!(["cart"]);
    assert_eq!(
        told,
        [Value::Null, json!("alice"), carried.clone(), json!(1), json!("alice"), json!("password"), carried]
    );
}

async fn a_sign_in_that_fails_changes_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write cart 1").await.token();
    let answer = world.run(&token, "login alice; status 500").await;
    assert_eq!((answer.status, answer.cookie_line()), (500, None));
    assert_eq!(world.run(&token, "user; read cart").await.told(), [Value::Null, json!(1)]);
    assert_eq!(world.sessions(), 1);
}

async fn of_two_sign_ins_with_one_session_one_wins(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    for _ in 0..8 {
        let before = world.sessions();
        let token = world.run(NOBODY, "write a 1").await.token();
        let alice = world.hold(&token, "login alice *; hold").await;
        let bob = other.hold(&token, "login bob *; hold").await;
        let (alice, bob) = tokio::join!(alice.release(), bob.release());
        let (winner, loser, name) = match alice.issued() {
            Some(_) => (alice, bob, "alice"),
            None => (bob, alice, "bob"),
        };
        assert_eq!((winner.status, loser.status), (200, 409), "{winner:?} {loser:?}");
        // The winner's cookie may be on its way to the same client: it must not be taken away.
        assert_eq!(loser.cookie_line(), None, "{loser:?}");
        assert_eq!(world.run(&winner.token(), "user").await.one(), name);
        assert_eq!(world.sessions(), before + 1);
    }
}

async fn a_request_under_way_does_not_reach_the_new_session(setup: Setup) {
    let world = setup.start().await;
    for steps in ["read a; hold; write a 2", "hold; write b 2", "hold; clear", "hold; renew", "hold; count a"]
    {
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, steps).await;
        let alice = world.run(&token, "login alice a").await.token();
        let answer = held.release().await;
        assert_eq!((answer.status, answer.cookie_line()), (409, None), "{steps}: {answer:?}");
        let told = world.run(&alice, "user; keys; read a; version").await.told();
        assert_eq!(told, [json!("alice"), json!(["a"]), json!(1), json!(1)], "{steps}");
    }
}

async fn a_carried_counter_counts_what_others_added(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "count n").await.token();
    let held = world.hold(&token, "count n; login alice n; hold").await;
    assert_eq!(world.run(&token, "count n").await.status, 200);
    let token = held.release().await.token();
    assert_eq!(world.run(&token, "read n").await.one(), 3);
}

/// A user who signs out and another who signs in on the same page share nothing.
async fn a_sign_in_after_a_logout_carries_nothing_over(setup: Setup) {
    let world = setup.start().await;
    for login in ["login bob *", "login bob secret"] {
        let alice = world.run(NOBODY, "login alice; write secret 1").await.token();
        let told = world.run(&alice, &format!("logout; read secret; {login}; read secret")).await;
        let bob = told.token();
        assert_eq!(told.told(), [Value::Null, Value::Null], "{login}");
        assert_eq!(world.run(&bob, "user; keys").await.told(), [json!("bob"), json!([])], "{login}");
        assert!(!world.holds(&alice).await);
    }
}

/// Found by the model: nobody else is there, and still there was a conflict.
async fn what_was_read_before_a_sign_in_is_no_conflict_after_it(setup: Setup) {
    let world = setup.start().await;
    for login in ["login alice", "login alice a", "login alice *"] {
        let token = world.run(NOBODY, "write a 1").await.token();
        world.run(&token, "write a 2").await;
        let answer = world.run(&token, &format!("read a; {login}; save; read a; write a 3")).await;
        assert_eq!(answer.status, 200, "{login}: {answer:?}");
        let token = world.run(&answer.token(), &format!("read a; {login}; save; write a 4")).await.token();
        assert_eq!(world.run(&token, "read a").await.one(), 4);
    }
}

async fn what_others_changed_before_a_sign_in_is_a_conflict_after_it(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let held = world.hold(&token, "read a; hold; login alice a; save; write a 9").await;
    world.run(&token, "write a 2").await;
    let answer = held.release().await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(world.run(&answer.token(), "user; read a").await.told(), [json!("alice"), json!(2)]);
}
