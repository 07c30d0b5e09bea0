//! Mistakes that other session libraries made, each with a test that it is not made here. Only those that
//! concern a session's life; some have a longer test elsewhere.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cancellation::{Dropped, run_and_drop},
    harness::{NOBODY, Setup},
};

everywhere!(
    cve_2025_46336_a_request_under_way_does_not_save_a_deleted_session,
    express_session_632_a_read_under_way_does_not_touch_a_deleted_session,
    starsessions_58_an_update_under_way_does_not_recreate_a_deleted_session,
    vertx_web_2771_a_renewal_under_way_does_not_bring_a_deleted_session_back,
    nextjs_auth0_2335_a_late_response_does_not_bring_the_old_cookie_back,
    cve_2021_34428_a_failure_during_logout_leaves_no_valid_session,
    cve_2024_31999_a_copied_cookie_is_worth_nothing_after_the_logout,
    cve_2024_38513_the_clients_id_is_not_adopted,
    cve_2018_1000519_an_invalidated_session_is_not_an_empty_valid_one,
    cve_2022_25896_the_id_changes_at_login_and_logout,
    cve_2023_46733_the_id_changes_when_only_the_level_does,
    cve_2022_24895_nothing_of_the_visitor_survives_the_sign_in,
    ghsa_xg6x_h9c9_2m83_a_password_alone_is_nobody_to_any_reader_of_the_session,
    cve_2015_5143_unknown_ids_make_no_records,
    cve_2015_5963_a_logout_of_nobody_makes_no_record,
    cve_2023_28858_a_cancelled_request_shifts_nobodys_answer,
);
by_the_clock!(
    cve_2018_1000814_a_session_expires_at_the_server,
    tower_sessions_0_4_3_a_store_in_memory_enforces_expiry,
);
on_redis!(cve_2019_16782_no_key_of_the_store_is_a_token);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// rack-session, `Pool`: a request that was under way saved the session that a logout had deleted.
async fn cve_2025_46336_a_request_under_way_does_not_save_a_deleted_session(setup: Setup) {
    ended_under_way(setup, "read a; hold; write a 2", 409).await;
}

/// express-session: a request that only read the session wrote it back to refresh its expiry. The same in
/// connect-redis #328.
async fn express_session_632_a_read_under_way_does_not_touch_a_deleted_session(setup: Setup) {
    ended_under_way(setup, "read a; hold; read a", 200).await;
}

/// starsessions, redistore #2, jetty #228: saving is an upsert.
async fn starsessions_58_an_update_under_way_does_not_recreate_a_deleted_session(setup: Setup) {
    ended_under_way(setup, "hold; count a", 409).await;
}

/// vertx-web #2771 and #2936: a new id for a session that was destroyed meanwhile.
async fn vertx_web_2771_a_renewal_under_way_does_not_bring_a_deleted_session_back(setup: Setup) {
    ended_under_way(setup, "hold; renew", 409).await;
}

async fn ended_under_way(setup: Setup, steps: &str, status: u16) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let held = world.hold(&token, steps).await;
    assert!(world.another_instance().run(&token, "logout").await.removes_cookie());
    let answer = held.release().await;
    assert_eq!((answer.status, answer.issued()), (status, None), "{answer:?}");
    assert_eq!(world.sessions(), 0);
    assert_eq!(world.run(&token, "user; keys").await.told(), [Value::Null, json!([])]);
}

/// nextjs-auth0: a slow response with rolling cookies overwrote the newer cookie, or the removed one.
async fn nextjs_auth0_2335_a_late_response_does_not_bring_the_old_cookie_back(setup: Setup) {
    let world = setup.start().await;
    for (meanwhile, status) in [("renew", 200), ("login bob", 409), ("logout", 409)] {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, "hold; write a 2").await;
        world.run(&token, meanwhile).await;
        let answer = held.release().await;
        assert_eq!((answer.status, answer.issued()), (status, None), "{meanwhile}: {answer:?}");
    }
}

/// Jetty: an exception in a listener that hears of the logout left the id valid.
async fn cve_2021_34428_a_failure_during_logout_leaves_no_valid_session(setup: Setup) {
    let world = setup.start().await;
    for steps in ["logout; status 500", "logout; save; status 500", "destroy; write a 1; status 503"] {
        let token = world.run(NOBODY, "login alice").await.token();
        let answer = world.run(&token, steps).await;
        assert!(answer.removes_cookie(), "{steps}: {answer:?}");
        assert_eq!(world.run(&token, "user").await.one(), Value::Null, "{steps}");
    }
    assert_eq!(world.sessions(), 0);
}

/// @fastify/secure-session: the whole session is the cookie, so that a copy outlives the logout.
async fn cve_2024_31999_a_copied_cookie_is_worth_nothing_after_the_logout(setup: Setup) {
    let world = setup.start().await;
    let copy = world.run(NOBODY, "login alice; write a 1").await.token();
    world.run(&copy, "logout").await;
    for _ in 0..2 {
        assert_eq!(world.run(&copy, "user; read a").await.told(), [Value::Null, Value::Null]);
    }
    assert_ne!(world.run(&copy, "write a 2").await.token(), copy);
}

/// Go Fiber: an id that the client made up became the new session's.
async fn cve_2024_38513_the_clients_id_is_not_adopted(setup: Setup) {
    let world = setup.start().await;
    let elsewhere = setup.start().await;
    let unknown = elsewhere.run(NOBODY, "write a 1").await.token();
    let token = world.run(&unknown, "write a 2").await.token();
    assert_ne!(token, unknown);
    assert!(world.holds(&token).await && !world.holds(&unknown).await);
}

/// aiohttp-session: an invalidated session was an empty one, and counted as valid.
async fn cve_2018_1000519_an_invalidated_session_is_not_an_empty_valid_one(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let told = world.run(&token, "clear; destroy; save; user; new").await.told();
    assert_eq!(told, [Value::Null, Value::Null, json!(true)]);
    assert_eq!(world.run(&token, "user; new").await.told(), [Value::Null, json!(true)]);
    assert_eq!(world.sessions(), 0);
}

/// passport: the id was kept over login and logout (session fixation).
async fn cve_2022_25896_the_id_changes_at_login_and_logout(setup: Setup) {
    let world = setup.start().await;
    let planted = world.run(NOBODY, "write a 1").await.token();
    let alice = world.run(&planted, "login alice").await.token();
    let visitor = world.run(&alice, "logout; write a 2").await.token();
    assert!(planted != alice && alice != visitor && planted != visitor);
    for dead in [planted, alice] {
        assert_eq!(world.run(&dead, "user; keys").await.told(), [Value::Null, json!([])]);
    }
    assert_eq!(world.run(&visitor, "user").await.one(), Value::Null);
}

/// Symfony: the id was kept where the user stayed the same and only the level changed.
async fn cve_2023_46733_the_id_changes_when_only_the_level_does(setup: Setup) {
    let world = setup.start().await;
    let first = world.run(NOBODY, "login alice").await.token();
    let second = world.run(&first, "login alice *").await.token();
    assert_ne!(first, second);
    assert_eq!(world.run(&first, "user").await.one(), Value::Null);
    assert_eq!(world.run(&second, "user").await.one(), "alice");
}

/// Symfony: CSRF tokens of before the sign-in were good after it.
async fn cve_2022_24895_nothing_of_the_visitor_survives_the_sign_in(setup: Setup) {
    let world = setup.start().await;
    let planted = world.run(NOBODY, "write csrf 1; write user_id 7").await.token();
    let token = world.run(&planted, "login alice").await.token();
    assert_eq!(world.run(&token, "keys").await.one(), json!([]));
}

/// better-auth: the session was cached before the second factor was passed, and the cache was believed. Here
/// nothing that could be read says who it is, at no moment: in the request of the password, in those that loaded
/// the session then and go on, in those that come by another instance.
async fn ghsa_xg6x_h9c9_2m83_a_password_alone_is_nobody_to_any_reader_of_the_session(setup: Setup) {
    let world = setup.start().await;
    let elsewhere = world.another_instance();
    let nobody = [Value::Null, Value::Null, Value::Null, json!(false)];
    let asks = "user; method; grade; full";
    let answer = world.run(NOBODY, &format!("pending alice; save; {asks}")).await;
    assert_eq!(answer.told()[1..], nobody, "in the request itself, once it is stored");
    let token = answer.token();
    let held = world.hold(&token, &format!("hold; {asks}")).await;
    for instance in [&elsewhere, &*world] {
        assert_eq!(instance.run(&token, asks).await.told(), nobody);
        assert_eq!(instance.run(&token, "sessions").await.status, 401);
    }
    let second = elsewhere.run(&token, "complete both").await.token();
    assert_eq!(held.release().await.told(), nobody, "what was loaded before stays what it was");
    assert_eq!(world.run(&token, asks).await.told(), nobody, "and the first token never becomes more");
    assert_eq!(world.run(&second, "user; method").await.told(), [json!("alice"), json!("both")]);
}

/// Django: a request with an unknown id stored an empty session for it.
async fn cve_2015_5143_unknown_ids_make_no_records(setup: Setup) {
    let world = setup.start().await;
    let elsewhere = setup.start().await;
    for _ in 0..10 {
        let unknown = elsewhere.run(NOBODY, "write a 1").await.token();
        assert_eq!(world.run(&unknown, "read a; user; keys").await.cookie_line(), None);
    }
    assert_eq!(world.sessions(), 0);
}

/// Django: a logout stored an empty session.
async fn cve_2015_5963_a_logout_of_nobody_makes_no_record(setup: Setup) {
    let world = setup.start().await;
    for _ in 0..10 {
        assert_eq!(world.run(NOBODY, "logout; read a").await.issued(), None);
    }
    assert_eq!(world.sessions(), 0);
}

/// redis-py: a cancelled call left its reply on the connection, for whoever asked next.
async fn cve_2023_28858_a_cancelled_request_shifts_nobodys_answer(setup: Setup) {
    let world = setup.start().await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let bob = world.run(NOBODY, "login bob").await.token();
    for polls in 0..12 {
        run_and_drop(&world, &alice, "user; count n; save", polls, Dropped::AtOnce).await;
        assert_eq!(world.run(&bob, "user").await.one(), "bob", "after {polls} polls");
        assert_eq!(world.run(&alice, "user").await.one(), "alice", "after {polls} polls");
    }
}

/// aiohttp-session: only the browser forgot the session in time.
async fn cve_2018_1000814_a_session_expires_at_the_server(setup: Setup) {
    let world = setup.start().await;
    let kept = world.run(NOBODY, "login alice").await.token();
    for _ in 0..47 {
        world.clock.advance(HOUR / 2);
        assert_eq!(world.run(&kept, "user").await.one(), "alice");
    }
    world.clock.advance(HOUR / 2);
    assert_eq!(world.run(&kept, "user").await.one(), Value::Null, "however much it is used");
}

/// tower-sessions 0.4.3: the store in memory answered sessions past their expiry.
async fn tower_sessions_0_4_3_a_store_in_memory_enforces_expiry(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    let held = world.hold(&token, "hold; write a 1").await;
    world.clock.advance(HOUR);
    assert_eq!(held.release().await.status, 409);
    assert_eq!(world.run(&token, "user").await.one(), Value::Null);
}

/// Rack, and Lucia's notes: the token was the key, so that a dump opens sessions and a lookup's time tells.
async fn cve_2019_16782_no_key_of_the_store_is_a_token(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let keys = world.keys("*");
    assert!(keys.iter().any(|key| key.contains(":s:")));
    assert!(keys.iter().all(|key| !key.contains(&token)), "{keys:?}");
    let stored = world.redis().command(&["HGETALL", &world.key("s", &token).unwrap()]).unwrap();
    assert!(!stored.contains(&token));
}
