//! What shared caches are told (C7; CVE-2023-30861, CVE-2024-26144).

use cloakroom::manager::SessionConfig;
use http::header::{CACHE_CONTROL, VARY};

use crate::harness::{Answer, NOBODY, Setup};

everywhere!(
    what_never_touches_the_session_stays_public,
    every_use_of_the_session_makes_the_response_private,
    the_handlers_own_choice_stands_without_a_cookie,
    a_response_with_a_cookie_is_never_stored,
    an_existing_vary_is_kept,
    the_application_may_do_it_itself,
);
axum_only!(taking_the_extractor_is_use_enough);
actix_only!(taking_the_extractor_is_use_enough);

const PUBLIC: &str = "header cache-control public, max-age=60";
const PRIVATE: &str = "private, no-store";

fn said(answer: &Answer) -> (Vec<String>, Vec<String>) {
    (answer.all(CACHE_CONTROL), answer.all(VARY))
}

fn says(cache_control: &[&str], vary: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    (owned(cache_control), owned(vary))
}

async fn what_never_touches_the_session_stays_public(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for token in [NOBODY, &token] {
        assert_eq!(said(&world.run_static(token, "status 200").await), says(&[], &[]));
        let answer = world.run_static(token, &format!("{PUBLIC}; header vary Accept")).await;
        assert_eq!(said(&answer), says(&["public, max-age=60"], &["Accept"]));
    }
}

async fn every_use_of_the_session_makes_the_response_private(setup: Setup) {
    let world = setup.start().await;
    for steps in [
        "read a",
        "contains a",
        "keys",
        "user",
        "method",
        "new",
        "version",
        "expires",
        "ended",
        "write a 2",
        "remove a",
        "count a",
        "clear",
        "save; user",
        "login bob",
        "logout",
        "destroy",
        "renew",
        "read a; status 404",
        "write a 2; status 500",
    ] {
        let token = world.run(NOBODY, "write a 1").await.token();
        for token in [&*token, NOBODY] {
            assert_eq!(said(&world.run(token, steps).await), says(&[PRIVATE], &["Cookie"]), "{steps}");
        }
    }
}

async fn the_handlers_own_choice_stands_without_a_cookie(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for own in ["public, max-age=60", "private, max-age=5", "no-cache"] {
        for token in [&*token, NOBODY] {
            let answer = world.run(token, &format!("read a; header cache-control {own}")).await;
            assert_eq!(said(&answer), says(&[own], &["Cookie"]), "{own}");
        }
        let answer = world.run(&token, &format!("write a 2; header cache-control {own}")).await;
        assert_eq!(said(&answer), says(&[own], &["Cookie"]), "{own}");
    }
}

async fn a_response_with_a_cookie_is_never_stored(setup: Setup) {
    let world = setup.start().await;
    for steps in ["write a 1", "login bob", "renew", "logout", "logout; status 500", "destroy; write a 1"] {
        for (own, then) in [
            ("public, max-age=60", PRIVATE),
            ("private, max-age=60", PRIVATE),
            ("no-cache=\"set-cookie\"", PRIVATE),
            ("no-cache", PRIVATE),
            ("max-age=0, No-Store", "max-age=0, No-Store"),
        ] {
            let token = match steps {
                "write a 1" => NOBODY.to_owned(),
                _ => world.run(NOBODY, "write a 1").await.token(),
            };
            let answer = world.run(&token, &format!("{steps}; header cache-control {own}")).await;
            assert!(answer.cookie_line().is_some(), "{steps}");
            assert_eq!(said(&answer), says(&[then], &["Cookie"]), "{steps}, {own}");
        }
    }
    // Two lines say the same as one with a comma.
    let two = "header cache-control public; header cache-control max-age=60";
    let answer = world.run(NOBODY, &format!("write a 1; {two}")).await;
    assert_eq!(said(&answer).0, [PRIVATE]);
}

async fn an_existing_vary_is_kept(setup: Setup) {
    let world = setup.start().await;
    for (own, then) in [
        ("header vary Accept", &["Accept", "Cookie"][..]),
        (
            "header vary Accept, Accept-Language; header vary Origin",
            &["Accept, Accept-Language", "Origin", "Cookie"],
        ),
        ("header vary *", &["*"]),
        ("header vary Accept, cookie", &["Accept, cookie"]),
        ("header vary Accept; header vary COOKIE", &["Accept", "COOKIE"]),
        ("header vary X-Cookie", &["X-Cookie", "Cookie"]),
    ] {
        for steps in ["read a", "write a 1"] {
            let answer = world.run(NOBODY, &format!("{steps}; {own}")).await;
            assert_eq!(said(&answer), says(&[PRIVATE], then), "{steps}; {own}");
        }
    }
}

async fn the_application_may_do_it_itself(setup: Setup) {
    let world = setup.with(SessionConfig::default().without_cache_headers()).await;
    let answer = world.run(NOBODY, &format!("write a 1; {PUBLIC}")).await;
    assert_eq!(said(&answer), says(&["public, max-age=60"], &[]));
    assert_eq!(said(&world.run(&answer.token(), "read a").await), says(&[], &[]));
}

async fn taking_the_extractor_is_use_enough(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    for path in ["/extract", "/private", "/maybe"] {
        for token in [&*token, NOBODY] {
            assert_eq!(said(&world.get(token, path).await), says(&[PRIVATE], &["Cookie"]), "{path}");
        }
    }
}
