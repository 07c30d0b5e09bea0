//! What the extractors answer.

use cloakroom::{manager::SessionConfig, store::CapPolicy};

use crate::harness::{NOBODY, Setup};

axum_only!(
    without_the_layer_the_answer_names_it,
    authenticated_lets_in_who_signed_in,
    optional_authentication_lets_everybody_in,
    why_the_session_before_ended_is_told,
);
actix_only!(
    without_the_middleware_the_answer_names_it,
    authenticated_lets_in_who_signed_in,
    optional_authentication_lets_everybody_in,
    why_the_session_before_ended_is_told,
);

async fn without_the_layer_the_answer_names_it(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    for path in ["/outside", "/outside-private"] {
        let answer = world.get(&token, path).await;
        assert_eq!(answer.status, 500);
        let body = String::from_utf8(answer.body).unwrap();
        assert!(body.contains("SessionLayer"), "{path}: {body}");
    }
}

async fn without_the_middleware_the_answer_names_it(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice").await.token();
    for path in ["/outside", "/outside-private", "/outside-maybe"] {
        let answer = world.get(&token, path).await;
        assert_eq!(answer.status, 500);
        let body = String::from_utf8(answer.body).unwrap();
        assert!(body.contains("add `.wrap(SessionMiddleware::new(store))`"), "{path}: {body}");
    }
}

async fn authenticated_lets_in_who_signed_in(setup: Setup) {
    let world = setup.start().await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let answer = world.get(&alice, "/private").await;
    assert_eq!((answer.status, &*answer.body), (200, &b"alice"[..]));
    assert_eq!(answer.cookie_line(), None);
    let visitor = world.run(NOBODY, "write user \"alice\"").await.token();
    world.run(&alice, "logout").await;
    for token in [NOBODY, &visitor, &alice] {
        let answer = world.get(token, "/private").await;
        assert_eq!((answer.status, answer.cookie_line()), (401, None), "{answer:?}");
    }
}

async fn optional_authentication_lets_everybody_in(setup: Setup) {
    let world = setup.start().await;
    let alice = world.run(NOBODY, "login alice").await.token();
    let visitor = world.run(NOBODY, "write a 1").await.token();
    for (token, name) in [(&*alice, "alice"), (NOBODY, "nobody"), (&visitor, "nobody")] {
        let answer = world.get(token, "/maybe").await;
        assert_eq!((answer.status, &*answer.body), (200, name.as_bytes()));
    }
}

async fn why_the_session_before_ended_is_told(setup: Setup) {
    let world =
        setup.with(SessionConfig::default().with_session_cap(1, CapPolicy::EvictOldest).unwrap()).await;
    let evicted = world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.get(&evicted, "/ended").await.body, b"nothing", "while it lives");
    let alice = world.run(NOBODY, "login alice").await.token();
    assert_eq!(world.get(&evicted, "/ended").await.body, b"evicted on a browser");
    assert_eq!(world.get(NOBODY, "/ended").await.body, b"nothing");
    world.run(&alice, "logout").await;
    let answer = world.get(&alice, "/ended").await;
    assert_eq!((answer.status, &*answer.body), (200, &b"logged_out on a browser"[..]));
    assert_eq!(answer.headers["vary"], "Cookie");
    let outside = world.get(&alice, "/outside-private").await;
    assert_eq!(outside.status, 500);
}
