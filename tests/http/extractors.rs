//! What the extractors answer.

use crate::harness::{NOBODY, Setup};

axum_only!(
    without_the_layer_the_answer_names_it,
    authenticated_lets_in_who_signed_in,
    optional_authentication_lets_everybody_in,
);
actix_only!(
    without_the_middleware_the_answer_names_it,
    authenticated_lets_in_who_signed_in,
    optional_authentication_lets_everybody_in,
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
