//! Visitors without a session cost nothing and get nothing (B17, D1, A2, C4, C10).

use crate::harness::{NAME, NOBODY, Setup};

everywhere!(
    visitors_who_write_nothing_leave_nothing,
    signing_nobody_out_stores_nothing,
    what_is_written_and_taken_back_is_nothing,
);
on_redis!(
    a_request_without_a_cookie_asks_redis_nothing,
    a_cookie_that_is_no_token_asks_redis_nothing,
    duplicates_ask_redis_nothing_and_open_nothing,
    oversized_cookies_ask_redis_nothing_and_open_nothing,
);

async fn visitors_who_write_nothing_leave_nothing(setup: Setup) {
    let world = setup.start().await;
    for steps in ["", "read a", "keys; user; new; version; ended", "contains a; clear", "renew", "remove a"] {
        let answer = world.run(NOBODY, steps).await;
        assert_eq!(answer.status, 200, "{steps}: {answer:?}");
        assert_eq!(answer.cookie_line(), None, "{steps}: {answer:?}");
    }
    assert_eq!(world.sessions(), 0);
    assert_eq!(world.keys("*:[xr]:*"), [""; 0]);
}

async fn signing_nobody_out_stores_nothing(setup: Setup) {
    let world = setup.start().await;
    let answer = world.run(NOBODY, "logout; user").await;
    assert_eq!(answer.one(), serde_json::Value::Null);
    assert_eq!(answer.issued(), None);
    assert_eq!(world.sessions(), 0);
    assert_eq!(world.keys("*:[xr]:*"), [""; 0]);
}

async fn what_is_written_and_taken_back_is_nothing(setup: Setup) {
    let world = setup.start().await;
    for steps in ["write a 1; remove a", "write a 1; clear", "write a 1; logout"] {
        let answer = world.run(NOBODY, steps).await;
        assert_eq!((answer.status, answer.issued()), (200, None), "{steps}: {answer:?}");
    }
    assert_eq!(world.sessions(), 0);
}

async fn a_request_without_a_cookie_asks_redis_nothing(setup: Setup) {
    let world = setup.start().await;
    world.redis().reset_stats().unwrap();
    assert_eq!(world.run(NOBODY, "read a; keys; user; new").await.status, 200);
    assert_eq!(world.run_static(NOBODY, "status 200").await.status, 200);
    assert_eq!(
        world.run_with_cookies(&["theme=dark; lang=en"], "read a").await.one(),
        serde_json::Value::Null
    );
    assert_eq!(world.commands(), [].into());
}

async fn a_cookie_that_is_no_token_asks_redis_nothing(setup: Setup) {
    let world = setup.start().await;
    let genuine = world.run(NOBODY, "write a 1").await.token();
    let (start, last) = genuine.split_at(42);
    // The last character carries two bits that must be zero: three other spellings would decode alike.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let aliases = (1..4).map(|n| format!("{start}{}", &alphabet[place + n..=place + n]));
    let mut malformed: Vec<String> = aliases.collect();
    malformed.extend([
        String::new(),
        "A".to_owned(),
        start.to_owned(),
        format!("{genuine}A"),
        format!("{genuine}="),
        format!("{genuine}=="),
        format!("{genuine} "),
        format!("\"{genuine}\""),
        format!("+/{}", &genuine[2..]),
        format!("%41{}", &genuine[1..]),
        // Shard 4095 of 64.
        format!("__{}", &genuine[2..]),
    ]);
    world.redis().reset_stats().unwrap();
    for value in &malformed {
        let answer = world.run_with_cookies(&[format!("{NAME}={value}")], "read a").await;
        assert_eq!(answer.one(), serde_json::Value::Null, "{value:?}");
        assert_eq!(answer.cookie_line(), None, "{value:?}");
    }
    assert_eq!(world.commands(), [].into());
    assert_eq!(world.run(&genuine, "read a").await.one(), 1);
}

async fn duplicates_ask_redis_nothing_and_open_nothing(setup: Setup) {
    let world = setup.start().await;
    let genuine = format!("{NAME}={}", world.run(NOBODY, "write a 1").await.token());
    let planted = format!("{NAME}={}", world.run(NOBODY, "write a 2").await.token());
    let malformed = format!("{NAME}=x");
    world.redis().reset_stats().unwrap();
    for other in [&planted, &malformed, &genuine] {
        for lines in [
            vec![format!("{genuine}; {other}")],
            vec![format!("{other}; {genuine}")],
            vec![format!("{other}; a=b; {genuine}; c=d; {other}")],
            vec![genuine.clone(), other.clone()],
            vec![other.clone(), "a=b".to_owned(), genuine.clone()],
        ] {
            let answer = world.run_with_cookies(&lines, "read a").await;
            assert_eq!(answer.one(), serde_json::Value::Null, "{lines:?}");
            assert_eq!(answer.cookie_line(), None, "{lines:?}");
        }
    }
    assert_eq!(world.commands(), [].into());
}

async fn oversized_cookies_ask_redis_nothing_and_open_nothing(setup: Setup) {
    let world = setup.start().await;
    let genuine = format!("{NAME}={}", world.run(NOBODY, "write a 1").await.token());
    let junk = |bytes: usize| "j".repeat(bytes);
    let many: String = (0..10_000).map(|n| format!("c{n}=v; ")).collect();
    let fits = format!("{genuine}; {}", junk(16 * 1024 - genuine.len() - 2));
    assert_eq!(world.run_with_cookies(&[&fits], "read a").await.one(), 1, "16 KiB are looked at");
    world.redis().reset_stats().unwrap();
    for lines in [
        vec![format!("{fits}j")],
        vec![fits.clone(), "j".to_owned()],
        vec![format!("{genuine}; {}", junk(64 * 1024))],
        vec![format!("{many}{genuine}")],
        vec![junk(16 * 1024), genuine.clone()],
    ] {
        let answer = world.run_with_cookies(&lines, "read a").await;
        assert_eq!(answer.one(), serde_json::Value::Null);
        assert_eq!(answer.cookie_line(), None);
    }
    assert_eq!(world.commands(), [].into());
}
