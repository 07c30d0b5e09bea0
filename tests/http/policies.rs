//! The other two policies.

use cloakroom::{manager::SessionConfig, store::Policy};
use serde_json::json;

use crate::harness::{NOBODY, Setup};

everywhere!(
    strict_refuses_whatever_others_committed_meanwhile,
    strict_leaves_requests_alone_that_meet_nobody,
    last_write_wins_refuses_nothing,
    no_policy_resurrects,
    a_handler_chooses_its_own_policy,
    a_key_has_a_policy_of_its_own,
);

fn policy(policy: Policy) -> SessionConfig {
    SessionConfig::default().with_policy(policy)
}

async fn strict_refuses_whatever_others_committed_meanwhile(setup: Setup) {
    let world = setup.with(policy(Policy::Strict)).await;
    for (steps, keys) in
        [("read a; hold; write a 2", "a"), ("hold; write b 2; write a 2", "a, b"), ("hold; count a", "a")]
    {
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, steps).await;
        assert_eq!(world.run(&token, "write c 1").await.status, 200);
        let answer = held.release().await;
        assert_eq!((answer.status, answer.cookie_line()), (409, None), "{steps}: {answer:?}");
        assert_eq!(answer.headers["session-conflict"], keys, "{steps}");
        let told = world.run(&token, "read a; keys; version").await.told();
        assert_eq!(told, [json!(1), json!(["a", "c"]), json!(2)], "{steps}");
    }
}

async fn strict_leaves_requests_alone_that_meet_nobody(setup: Setup) {
    let world = setup.with(policy(Policy::Strict)).await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for n in 2..5 {
        assert_eq!(world.run(&token, "read a; count a; save; count a").await.status, 200);
        assert_eq!(world.run(&token, "read a").await.one(), 2 * n - 1);
    }
    let held = world.hold(&token, "read a; hold; write a 9").await;
    assert_eq!(world.run(&token, "read a").await.status, 200);
    assert_eq!(held.release().await.status, 200, "others may read");
    let held = world.hold(&token, "read a; hold; read b").await;
    assert_eq!(world.run(&token, "write a 1").await.status, 200);
    assert_eq!(held.release().await.status, 200, "and who only reads meets nobody");
}

async fn last_write_wins_refuses_nothing(setup: Setup) {
    let world = setup.with(policy(Policy::LastWriteWins)).await;
    for steps in ["read a; hold; write a 2; write b 2", "hold; write a 2; write b 2"] {
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, steps).await;
        assert_eq!(world.run(&token, "write a 3; write c 3").await.status, 200);
        assert_eq!(held.release().await.status, 200);
        let told = world.run(&token, "read a; keys; version").await.told();
        assert_eq!(told, [json!(2), json!(["a", "b", "c"]), json!(3)], "{steps}");
    }
}

async fn no_policy_resurrects(setup: Setup) {
    for chosen in [Policy::Strict, Policy::LastWriteWins] {
        let world = setup.with(policy(chosen)).await;
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, "hold; write a 2").await;
        assert!(world.run(&token, "logout").await.removes_cookie());
        let answer = held.release().await;
        assert_eq!((answer.status, answer.issued()), (409, None), "{chosen:?}");
        assert_eq!(world.sessions(), 0);
    }
}

async fn a_handler_chooses_its_own_policy(setup: Setup) {
    for (layer, steps, status) in [
        (Policy::Merge, "policy strict; hold; write b 1", 409),
        (Policy::Merge, "policy last; read a; hold; write a 2", 200),
        (Policy::Strict, "policy merge; hold; write b 1", 200),
        (Policy::Strict, "policy merge; read a; hold; write a 2", 409),
        (Policy::Strict, "policy merge; hold; count a", 200),
        (Policy::LastWriteWins, "policy merge; read a; hold; write a 2", 409),
        (Policy::LastWriteWins, "policy strict; hold; write b 2", 409),
    ] {
        let world = setup.with(policy(layer)).await;
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = world.hold(&token, steps).await;
        let _ = world.run(&token, "write a 5").await;
        assert_eq!(held.release().await.status, status, "{layer:?}: {steps}");
    }
}

async fn a_key_has_a_policy_of_its_own(setup: Setup) {
    for (layer, steps, status) in [
        // Strict about one key: written or not before, read or not, but nobody else's business.
        (Policy::Merge, "hold; strict a 2", 409),
        (Policy::Merge, "hold; strict new 2", 409),
        (Policy::Merge, "hold; strict b 2", 200),
        (Policy::Merge, "read a; hold; last a 2", 200),
        (Policy::Strict, "hold; merge a 2", 200),
        (Policy::Strict, "hold; merge a 2; write b 1", 409),
        (Policy::Strict, "read a; hold; last a 2", 200),
        (Policy::LastWriteWins, "read a; hold; merge a 2", 409),
        (Policy::LastWriteWins, "hold; strict a 2", 409),
        (Policy::LastWriteWins, "read b; read a; save; hold; write a 2", 200),
    ] {
        let world = setup.with(policy(layer)).await;
        let token = world.run(NOBODY, "write a 1; write b 1").await.token();
        let held = world.hold(&token, steps).await;
        let _ = world.run(&token, "write a 5; write new 5").await;
        assert_eq!(held.release().await.status, status, "{layer:?}: {steps}");
    }
}
