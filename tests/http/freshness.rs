//! What only a recent sign-in may do (SECURITY: ASVS 7.5.1, RFC 9470).

use std::time::Duration;

use crate::harness::{NOBODY, Setup};

// The bare Tower service has no extractors; the clock is one that a test can move.
expand!(axum_memory, Axum, Memory, a_recent_sign_in_is_let_in_until_it_is_old the_challenge_says_what_is_needed
    activity_is_no_sign_in);
expand!(actix_memory, Actix, Memory, a_recent_sign_in_is_let_in_until_it_is_old the_challenge_says_what_is_needed
    activity_is_no_sign_in);

const FRESH: Duration = Duration::from_secs(300);

async fn a_recent_sign_in_is_let_in_until_it_is_old(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.clock.advance(FRESH);
    assert_eq!(world.get(&token, "/fresh").await.body, b"alice");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get(&token, "/fresh").await.status, 401);
    let new = world.run(&token, "prove otp").await.token();
    assert_ne!(new, token, "with a new token");
    world.clock.advance(FRESH);
    assert_eq!(world.get(&new, "/fresh").await.body, b"alice");
    for nobody in [NOBODY, &token, &world.run(NOBODY, "write a 1").await.token()] {
        let answer = world.get(nobody, "/fresh").await;
        assert_eq!((answer.status, answer.headers.get("www-authenticate")), (401, None));
    }
}

async fn the_challenge_says_what_is_needed(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    world.clock.advance(2 * FRESH);
    let answer = world.get(&token, "/fresh").await;
    let challenge = "Session error=\"insufficient_user_authentication\", \
                     error_description=\"A more recent sign-in is required\", max_age=\"300\"";
    assert_eq!(answer.headers["www-authenticate"], challenge);
    assert_eq!(answer.body, b"Please sign in again.\n");
    assert_eq!(answer.cookie_line(), None);
    assert_eq!(answer.headers["vary"], "Cookie");
}

async fn activity_is_no_sign_in(setup: Setup) {
    let world = setup.start().await;
    let mut token = world.run(NOBODY, "login alice").await.token();
    for _ in 0..6 {
        world.clock.advance(Duration::from_secs(60));
        token = world.run(&token, "count n; renew").await.token();
    }
    assert_eq!(world.get(&token, "/fresh").await.status, 401);
}
