//! A user's sessions, as the user and an administrator see and end them (SECURITY: B13, B14).

use cloakroom::{manager::SessionConfig, session::ListedAddress, session::SessionAdmin, store::Revoked};
use serde_json::{Value, json};

use crate::harness::{NOBODY, Setup, World};

everywhere!(
    a_list_tells_each_session_and_which_one_asks,
    how_much_of_the_address_is_told_is_chosen,
    a_handle_opens_nothing,
    a_user_ends_one_session,
    a_user_ends_all_others,
    a_user_ends_all,
    the_handles_of_others_name_nothing,
    who_is_not_signed_in_has_no_sessions,
    a_revocation_holds_whatever_the_response,
    a_session_that_was_revoked_revokes_nobody,
    an_administrator_ends_sessions,
    an_administrator_ends_everything,
    a_renewed_session_is_the_same_in_the_list,
    a_logout_leaves_the_list,
    a_revocation_goes_on_when_nobody_waits_for_it,
);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";

/// The sessions as the one with `token` lists them.
async fn listed(world: &World, token: &str) -> Vec<Value> {
    world.run(token, "sessions").await.one().as_array().unwrap().clone()
}

/// The handle of the session of `token`.
async fn handle(world: &World, token: &str) -> String {
    let sessions = listed(world, token).await;
    let current = |info: &&Value| info["current"] == json!(true);
    sessions.iter().find(current).unwrap()["handle"].as_str().unwrap().to_owned()
}

async fn why(world: &World, token: &str) -> Vec<Value> {
    world.run(token, "user; ended; ended-device").await.told()
}

async fn a_list_tells_each_session_and_which_one_asks(setup: Setup) {
    let world = setup.start().await;
    let first = world.run_from(FIREFOX, "203.0.113.77", NOBODY, "sign-in alice").await.token();
    let second = world.run(NOBODY, "login alice").await.token();
    world.run(NOBODY, "login bob").await.token();
    for (token, other) in [(&first, 1), (&second, 0)] {
        let sessions = listed(&world, token).await;
        assert_eq!(sessions.len(), 2, "{sessions:?}");
        let [mine, theirs] = [true, false]
            .map(|current| sessions.iter().find(|info| info["current"] == json!(current)).unwrap().clone());
        let (firefox, browser) = if other == 1 { (mine, theirs) } else { (theirs, mine) };
        assert_eq!(firefox["device"], "Firefox on Linux");
        assert_eq!(firefox["address"], "203.0.113.0/24");
        assert_eq!((&browser["device"], &browser["address"]), (&json!("a browser"), &Value::Null));
        assert_eq!(browser["authentication"]["method"], "password");
        assert_ne!(firefox["handle"], browser["handle"]);
        for info in &sessions {
            assert!(info["created_at"].as_u64() <= info["last_seen"].as_u64(), "{info}");
        }
        let text = json!(sessions).to_string();
        assert!(!text.contains(&*first) && !text.contains(&*second));
    }
}

async fn how_much_of_the_address_is_told_is_chosen(setup: Setup) {
    for (detail, expected) in
        [(ListedAddress::Whole, json!("2001:db8::1:2")), (ListedAddress::Nothing, Value::Null)]
    {
        let world = setup.with(SessionConfig::default().with_listed_address(detail)).await;
        let token = world.run_from("?", "2001:db8::1:2", NOBODY, "sign-in alice").await.token();
        let sessions = listed(&world, &token).await;
        assert_eq!((&sessions[0]["address"], &sessions[0]["device"]), (&expected, &Value::Null));
    }
}

async fn a_handle_opens_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let handle = handle(&world, &token).await;
    for cookie in [handle.clone(), format!("{handle}{}", &handle[..21])] {
        assert_eq!(world.run(&cookie, "user").await.one(), Value::Null);
    }
}

async fn a_user_ends_one_session(setup: Setup) {
    let world = setup.start().await;
    let lost = world.run(NOBODY, "login alice; write a 1").await.token();
    let mine = world.run_from(FIREFOX, "203.0.113.7", NOBODY, "sign-in alice").await.token();
    let under_way = world.hold(&lost, "read a; hold; write a 2").await;
    let handle = handle(&world, &lost).await;
    assert_eq!(world.another_instance().run(&mine, &format!("revoke {handle}")).await.one(), 1);
    let answer = under_way.release().await;
    assert_eq!((answer.status, answer.removes_cookie()), (409, true), "{answer:?}");
    assert_eq!(why(&world, &lost).await, [Value::Null, json!("revoked_by_user"), json!("Firefox on Linux")]);
    assert_eq!(world.run(&mine, &format!("user; revoke {handle}")).await.told(), ["alice", "not found"]);
    assert_eq!(listed(&world, &mine).await.len(), 1);
    // The one that asks.
    let own = self::handle(&world, &mine).await;
    let answer = world.run(&mine, &format!("revoke {own}; user; ended")).await;
    assert_eq!(answer.told(), [json!(1), Value::Null, json!("revoked_by_user")]);
    assert!(answer.removes_cookie(), "{answer:?}");
    assert_eq!(why(&world, &mine).await[1], "revoked_by_user");
}

async fn a_user_ends_all_others(setup: Setup) {
    let world = setup.start().await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(world.run(NOBODY, "login alice").await.token());
    }
    let bob = world.run(NOBODY, "login bob").await.token();
    let mine = tokens.pop().unwrap();
    let answer = world.run(&mine, "revoke-others; user; write a 1").await;
    assert_eq!(answer.told(), [json!(3), json!("alice")]);
    assert_eq!(world.run(&mine, "read a").await.one(), 1);
    for token in &tokens {
        assert_eq!(why(&world, token).await[..2], [Value::Null, json!("revoked_by_user")]);
    }
    assert_eq!(world.run(&bob, "user").await.one(), "bob");
    assert_eq!(world.run(&mine, "revoke-others").await.one(), 0);
}

async fn a_user_ends_all(setup: Setup) {
    let world = setup.start().await;
    let other = world.run(NOBODY, "login alice").await.token();
    let mine = world.run(NOBODY, "login alice; write a 1").await.token();
    let answer = world.run(&mine, "write a 2; revoke-all; user").await;
    assert_eq!(answer.told(), [json!(2), Value::Null]);
    assert!(answer.removes_cookie(), "{answer:?}");
    for token in [&other, &mine] {
        assert_eq!(why(&world, token).await[..2], [Value::Null, json!("revoked_by_user")]);
    }
    assert_eq!(world.sessions(), 0);
    assert!(world.run(NOBODY, "login alice; user").await.issued().is_some(), "alice may sign in again");
}

/// B14: an IDOR is a handle of another user's that does something.
async fn the_handles_of_others_name_nothing(setup: Setup) {
    let world = setup.start().await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let mallory = world.run(NOBODY, "login mallory").await.token();
    let hers = handle(&world, &alice).await;
    let zeros = "A".repeat(22);
    for name in [&*hers, &zeros, "", "gen", "rev", "*", "+", &format!("+{hers}"), "../alice", &alice] {
        assert_eq!(world.run(&mallory, &format!("revoke {name}")).await.one(), "not found", "{name}");
    }
    assert_eq!(world.run(&mallory, "revoke-all").await.one(), 1, "his own");
    assert_eq!(world.run(&alice, "user").await.one(), "alice");
}

async fn who_is_not_signed_in_has_no_sessions(setup: Setup) {
    let world = setup.start().await;
    let visitor = world.run(NOBODY, "write a 1").await.token();
    for token in [NOBODY, &visitor] {
        for steps in ["sessions", "revoke AAAAAAAAAAAAAAAAAAAAAA", "revoke-others", "revoke-all"] {
            assert_eq!(world.run(token, steps).await.status, 401, "{steps}");
        }
    }
    assert_eq!(world.run(NOBODY, "login alice; sessions").await.status, 401, "not stored yet");
    assert_eq!(world.run(&visitor, "read a").await.one(), 1);
}

async fn a_revocation_holds_whatever_the_response(setup: Setup) {
    let world = setup.start().await;
    let other = world.run(NOBODY, "login alice").await.token();
    let mine = world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.run(&mine, "revoke-all; status 500").await.status, 500);
    for token in [&other, &mine] {
        assert_eq!(world.run(token, "user").await.one(), Value::Null);
    }
}

async fn a_session_that_was_revoked_revokes_nobody(setup: Setup) {
    let world = setup.start().await;
    let thief = world.run(NOBODY, "login alice").await.token();
    let mine = world.run(NOBODY, "login alice").await.token();
    let own = handle(&world, &mine).await;
    for steps in [format!("hold; revoke {own}"), "hold; revoke-others".into(), "hold; revoke-all".into()] {
        let thief = match steps.contains("all") {
            true => thief.clone(),
            false => world.run(NOBODY, "login alice").await.token(),
        };
        let late = world.hold(&thief, &steps).await;
        let handle = handle(&world, &thief).await;
        assert_eq!(world.run(&mine, &format!("revoke {handle}")).await.one(), 1);
        let answer = late.release().await;
        assert_eq!((answer.status, &*answer.body), (200, &b"[\"gone\"]"[..]), "{steps} {answer:?}");
        assert_eq!(world.run(&mine, "user").await.one(), "alice", "{steps}");
    }
}

async fn an_administrator_ends_sessions(setup: Setup) {
    let world = setup.start().await;
    let admin = SessionAdmin::new(world.store.clone());
    let tokens =
        [world.run(NOBODY, "login alice").await.token(), world.run(NOBODY, "login alice").await.token()];
    let bob = world.run(NOBODY, "login bob").await.token();
    let sessions = admin.sessions_of("alice").await.unwrap();
    assert!(sessions.len() == 2 && !sessions.iter().any(|info| info.current), "{sessions:?}");
    let handle = handle(&world, &tokens[0]).await;
    assert_eq!(admin.revoke("bob", &handle).await.unwrap(), Revoked::NotFound);
    assert_eq!(admin.revoke("alice", "no handle").await.unwrap(), Revoked::NotFound);
    assert_eq!(admin.revoke("alice", &handle).await.unwrap(), Revoked::Revoked(1));
    assert_eq!(why(&world, &tokens[0]).await[1], "revoked_by_admin");
    let late = world.hold(&tokens[1], "hold; write a 1").await;
    assert_eq!(admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(1));
    assert_eq!(late.release().await.status, 409);
    assert_eq!(why(&world, &tokens[1]).await[1], "revoked_by_admin");
    assert_eq!(world.run(&bob, "user").await.one(), "bob");
}

async fn an_administrator_ends_everything(setup: Setup) {
    let world = setup.start().await;
    let admin = SessionAdmin::new(world.store.clone());
    let alice = world.run(NOBODY, "login alice").await.token();
    let visitor = world.run(NOBODY, "write a 1").await.token();
    let mut late = Vec::new();
    for steps in ["hold; write a 2", "hold; renew", "hold; login carol a", "hold; count a"] {
        late.push(world.hold(&visitor, steps).await);
    }
    assert_eq!(admin.revoke_everyone().await.unwrap(), 1);
    for late in late {
        let answer = late.release().await;
        assert_eq!((answer.status, answer.removes_cookie()), (409, true), "{answer:?}");
    }
    for token in [&alice, &visitor] {
        assert_eq!(why(&world, token).await[..2], [Value::Null, json!("epoch")]);
    }
    let after = world.run(NOBODY, "login alice").await.token();
    assert_eq!(listed(&world, &after).await.len(), 1);
    assert_eq!(admin.revoke_everyone().await.unwrap(), 2);
    assert_eq!(why(&world, &after).await[1], "epoch");
}

async fn a_renewed_session_is_the_same_in_the_list(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, "login alice").await.token();
    let before = listed(&world, &token).await;
    for steps in ["renew", "prove otp", "renew"] {
        token = world.run(&token, steps).await.token();
        let now = listed(&world, &token).await;
        assert_eq!((now.len(), &now[0]["handle"]), (1, &before[0]["handle"]));
    }
    assert_eq!(listed(&world, &token).await[0]["authentication"]["method"], "otp");
    assert_eq!(world.run(&token, "revoke-all").await.one(), 1);
    assert_eq!(world.run(&token, "user").await.one(), Value::Null);
}

async fn a_logout_leaves_the_list(setup: Setup) {
    let world = setup.start().await;
    let mine = world.run(NOBODY, "login alice").await.token();
    let other = world.run(NOBODY, "login alice").await.token();
    world.run(&other, "logout").await;
    assert_eq!(listed(&world, &mine).await.len(), 1);
    let again = world.run(&mine, "login alice").await.token();
    assert_eq!(listed(&world, &again).await.len(), 1, "a sign-in takes the place of the session before");
    world.run(&again, "login bob").await.token();
    assert!(SessionAdmin::new(world.store.clone()).sessions_of("alice").await.unwrap().is_empty());
}

/// The client hung up, or the administrator's request timed out.
async fn a_revocation_goes_on_when_nobody_waits_for_it(setup: Setup) {
    let world = setup.start().await;
    let admin = SessionAdmin::new(world.store.clone());
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(world.run(NOBODY, "login alice").await.token());
    }
    tokio::select! {
        biased;
        _ = admin.revoke_all("alice") => {}
        () = std::future::ready(()) => {}
    }
    // Bounded by the test's own time.
    while !admin.sessions_of("alice").await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    for token in &tokens {
        assert_eq!(why(&world, token).await[1], "revoked_by_admin");
    }
}
