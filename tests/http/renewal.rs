//! A renewal: a new token for the same session, and a grace for requests under way (B7, B8).

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup};

everywhere!(
    a_renewal_changes_the_token_and_nothing_else,
    during_the_grace_the_old_token_reads_and_writes,
    the_old_token_can_neither_renew_nor_sign_in,
    the_old_token_can_sign_out,
    a_request_under_way_goes_on_in_the_renewed_session,
    of_many_renewals_at_once_one_wins,
    an_old_token_follows_several_renewals,
    nobody_is_renewed_into_a_session,
);
by_the_clock!(the_grace_ends, the_grace_ends_sooner_once_the_new_token_is_used);
on_redis!(
    after_the_grace_the_old_token_is_nobodys,
    the_grace_in_redis_ends_sooner_once_the_new_token_is_used
);

const ALICE: &str = "login alice; write a 1; write b 2";

async fn a_renewal_changes_the_token_and_nothing_else(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let answer = world.run(&old, "renew; user; read a").await;
    assert_eq!(answer.told(), [json!("alice"), json!(1)]);
    let new = answer.token();
    assert_ne!(new, old);
    assert_eq!(world.sessions(), 1);
    assert!(world.holds(&new).await && !world.holds(&old).await);
    let told = world.run(&new, "user; method; read a; read b; version").await.told();
    assert_eq!(told, [json!("alice"), json!("password"), json!(1), json!(2), json!(2)]);
    let newer = world.run(&new, "write a 3; renew; remove b").await.token();
    let told = world.run(&newer, "read a; keys; version").await.told();
    assert_eq!(told, [json!(3), json!(["a"]), json!(3)]);
}

async fn during_the_grace_the_old_token_reads_and_writes(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    for (n, instance) in [&*world, &other].into_iter().enumerate() {
        let answer = instance.run(&old, &format!("user; read a; write a {}; count n; save", n + 5)).await;
        assert_eq!(answer.told()[0], "alice");
        // B7: its response may come late, and must neither bring the old cookie back nor tell the new one.
        assert_eq!(answer.set_cookies(), [""; 0]);
        assert_eq!(instance.run(&new, "read a; read n").await.told(), [json!(n + 5), json!(n + 1)]);
    }
    assert_eq!(world.sessions(), 1);
    assert!(!world.holds(&old).await);
}

async fn the_old_token_can_neither_renew_nor_sign_in(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    for steps in ["renew", "login mallory", "login alice *", "reload; renew", "count n; save; reload; renew"]
    {
        let answer = world.run(&old, steps).await;
        assert_eq!((answer.status, answer.cookie_line()), (409, None), "{steps}: {answer:?}");
    }
    assert_eq!(world.run(&new, "user; read a").await.told(), [json!("alice"), json!(1)]);
    assert_eq!(world.sessions(), 1);
}

async fn the_old_token_can_sign_out(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    assert!(world.run(&old, "logout").await.removes_cookie());
    for token in [&old, &new] {
        let told = world.run(token, "user; keys; ended").await.told();
        assert_eq!(told, [Value::Null, json!([]), json!("logged_out")]);
    }
    assert_eq!(world.sessions(), 0);
}

async fn a_request_under_way_goes_on_in_the_renewed_session(setup: Setup) {
    let world = setup.start().await;
    for (steps, status) in [
        ("read a; hold; write a 7", 200),
        ("hold; write a 7; renew", 200),
        ("count n; hold; write a 7; save", 200),
        ("read a; hold", 200),
        ("hold; login mallory", 409),
        ("hold; write a 7; save; renew", 409),
    ] {
        let old = world.run(NOBODY, ALICE).await.token();
        let held = world.hold(&old, steps).await;
        let new = world.run(&old, "renew").await.token();
        let answer = held.release().await;
        assert_eq!((answer.status, answer.cookie_line()), (status, None), "{steps}: {answer:?}");
        let told = world.run(&new, "user; read a").await.told();
        let a = if steps.contains("write") { 7 } else { 1 };
        assert_eq!(told, [json!("alice"), json!(a)], "{steps}");
    }
    assert_eq!(world.sessions(), 6);
}

async fn of_many_renewals_at_once_one_wins(setup: Setup) {
    let world = setup.start().await;
    let other = world.another_instance();
    let old = world.run(NOBODY, ALICE).await.token();
    let mut held = Vec::new();
    for n in 0..64 {
        let instance = if n % 2 == 0 { &*world } else { &other };
        held.push(instance.hold(&old, "hold; renew").await);
    }
    let tasks: Vec<_> = held.into_iter().map(|held| tokio::spawn(held.release())).collect();
    let mut issued = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        issued.extend(answer.issued());
    }
    assert_eq!(issued.len(), 1);
    assert_eq!(world.sessions(), 1);
    assert_eq!(world.run(&issued[0], "user; version").await.told(), [json!("alice"), json!(2)]);
}

async fn an_old_token_follows_several_renewals(setup: Setup) {
    let world = setup.start().await;
    let mut tokens = vec![world.run(NOBODY, ALICE).await.token()];
    for _ in 0..3 {
        tokens.push(world.run(tokens.last().unwrap(), "renew").await.token());
    }
    for token in &tokens {
        assert_eq!(world.run(token, "count n; user").await.one(), "alice");
    }
    assert_eq!(world.run(&tokens[3], "read n").await.one(), 4);
}

async fn nobody_is_renewed_into_a_session(setup: Setup) {
    let world = setup.start().await;
    assert_eq!(world.run(NOBODY, "renew").await.cookie_line(), None);
    assert_eq!(world.sessions(), 0);
    let token = world.run(NOBODY, "renew; write a 1").await.token();
    assert_eq!(world.run(&token, "read a; version").await.told(), [json!(1), json!(1)]);
}

async fn the_grace_ends(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    world.clock.advance(Duration::from_millis(59_999));
    assert_eq!(world.run(&old, "user").await.one(), "alice");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.run(&old, "user; keys").await.told(), [Value::Null, json!([])]);
    assert_ne!(world.run(&old, "write a 9").await.token(), old);
    assert_eq!(world.run(&new, "user; read a").await.told(), [json!("alice"), json!(1)]);
}

async fn the_grace_ends_sooner_once_the_new_token_is_used(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    assert_eq!(world.run(&new, "user").await.one(), "alice");
    world.clock.advance(Duration::from_millis(9_999));
    assert_eq!(world.run(&old, "user").await.one(), "alice");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.run(&old, "user").await.one(), Value::Null);
    assert_eq!(world.run(&new, "user").await.one(), "alice");
}

async fn after_the_grace_the_old_token_is_nobodys(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    let held = world.hold(&old, "read a; hold; write a 9").await;
    world.redis().command(&["DEL", &world.key("x", &old).unwrap()]).unwrap();
    assert_eq!(world.run(&old, "user; keys").await.told(), [Value::Null, json!([])]);
    assert_ne!(world.run(&old, "write a 9").await.token(), old);
    assert!(!world.holds(&old).await);
    // A request that was loaded before knows where its session went.
    assert_eq!(held.release().await.cookie_line(), None);
    assert_eq!(world.run(&new, "user; read a").await.told(), [json!("alice"), json!(9)]);
}

async fn the_grace_in_redis_ends_sooner_once_the_new_token_is_used(setup: Setup) {
    let world = setup.start().await;
    let old = world.run(NOBODY, ALICE).await.token();
    let new = world.run(&old, "renew").await.token();
    let key = world.key("x", &old).unwrap();
    let number = |command: &[&str]| world.redis().command(command).unwrap().parse::<u64>().unwrap();
    let now = || {
        let time = world.redis().command(&["TIME"]).unwrap();
        time.lines().next().unwrap().parse::<u64>().unwrap() * 1000
    };
    // How long the old token leads on. The key itself stays, so that a replay is noticed.
    let ttl = || number(&["HGET", &key, "until"]).saturating_sub(now());
    assert!(number(&["PTTL", &key]) > 23 * 3600 * 1000);
    assert!((50_000..=61_000).contains(&ttl()), "{}", ttl());
    assert_eq!(world.run(&old, "user").await.one(), "alice");
    assert!(ttl() > 50_000, "its own use changes nothing: {}", ttl());
    assert_eq!(world.run(&new, "user").await.one(), "alice");
    assert!((1..=11_000).contains(&ttl()), "{}", ttl());
    world.redis().command(&["HSET", &key, "until", &(now() + 3000).to_string()]).unwrap();
    assert_eq!(world.run(&new, "user").await.one(), "alice");
    assert!(ttl() <= 3_000, "never longer again: {}", ttl());
}
