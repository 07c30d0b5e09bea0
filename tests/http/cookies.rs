//! The cookie to the letter (C1, C2, C8, C12, B18).

use cloakroom::{
    cookie::{CookieConfig, SameSite},
    manager::SessionConfig,
};
use http::{HeaderValue, header};

use crate::harness::{NAME, NOBODY, Setup, request};

everywhere!(
    the_default_cookie_to_the_letter,
    a_configured_cookie_to_the_letter,
    an_existing_session_sets_no_cookie,
    a_logout_removes_the_cookie_with_the_same_attributes,
    the_applications_own_cookies_stay_in_order,
    a_forged_line_of_our_name_is_replaced,
    the_token_is_taken_from_the_cookie_only,
);

async fn the_default_cookie_to_the_letter(setup: Setup) {
    let world = setup.start().await;
    for steps in ["write a 1", "login alice", "count a", "write a 1; save; write b 2"] {
        let answer = world.run(NOBODY, steps).await;
        let token = answer.token();
        assert_eq!(token.len(), 43);
        let expected = format!("__Host-Http-id={token}; HttpOnly; SameSite=Lax; Secure; Path=/");
        assert_eq!(answer.set_cookies(), [expected], "{steps}");
        let value = answer.headers.get(header::SET_COOKIE).unwrap();
        assert!(value.is_sensitive(), "HTTP/2 must not index it, and Debug must not show it");
    }
}

async fn a_configured_cookie_to_the_letter(setup: Setup) {
    let cookie = CookieConfig::builder()
        .name("__Host-shop")
        .same_site(SameSite::Strict)
        .max_age(std::time::Duration::from_secs(60 * 60 * 24 * 365));
    let world = setup.with(SessionConfig::default().with_cookie(cookie.build().unwrap())).await;
    let lines = world.run(NOBODY, "write a 1").await.set_cookies();
    let (start, end) = lines[0].split_at("__Host-shop=".len() + 43);
    // Never longer than the session's absolute lifetime.
    assert_eq!(end, "; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=86400");
    assert_eq!(lines.len(), 1);
    assert_eq!(world.run_with_cookies(&[start], "read a").await.one(), 1);
    let default = start.replace("__Host-shop", NAME);
    assert_eq!(world.run_with_cookies(&[default], "new").await.one(), true, "another name is nobody's");
    let lines = world.run_with_cookies(&[start], "logout").await.set_cookies();
    assert!(lines[0].starts_with("__Host-shop=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0; "));
}

async fn an_existing_session_sets_no_cookie(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for steps in ["", "read a", "write a 2", "count b", "remove b", "save", "clear", "write a 1; status 500"]
    {
        assert_eq!(world.run(&token, steps).await.set_cookies(), [""; 0], "{steps}");
    }
}

async fn a_logout_removes_the_cookie_with_the_same_attributes(setup: Setup) {
    let world = setup.start().await;
    for steps in ["logout", "destroy", "write a 2; logout", "logout; status 500"] {
        let token = world.run(NOBODY, "write a 1").await.token();
        let answer = world.run(&token, steps).await;
        let lines = answer.set_cookies();
        let expected = "__Host-Http-id=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires=";
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{steps}: {lines:?}");
    }
}

async fn the_applications_own_cookies_stay_in_order(setup: Setup) {
    const THREE: &str = "header set-cookie a=1; header set-cookie b=2; header set-cookie __Host-Http-idx=3";
    let own = ["a=1", "b=2", "__Host-Http-idx=3"];
    let world = setup.start().await;
    assert_eq!(world.run(NOBODY, THREE).await.set_cookies(), own);
    let lines = world.run(NOBODY, &format!("{THREE}; write a 1")).await.set_cookies();
    assert_eq!(lines[..3], own);
    assert!(lines.len() == 4 && lines[3].starts_with("__Host-Http-id="), "{lines:?}");
    let token = world.run(NOBODY, "write a 1").await.token();
    for (steps, ours) in [("renew", 1), ("logout", 1)] {
        let lines = world.run(&token, &format!("{THREE}; {steps}")).await.set_cookies();
        assert_eq!(lines[..3], own, "{steps}");
        assert_eq!(lines.len(), 3 + ours, "{steps}: {lines:?}");
    }
}

async fn a_forged_line_of_our_name_is_replaced(setup: Setup) {
    let world = setup.start().await;
    let forged = "header set-cookie a=1; header set-cookie __Host-Http-id=forged; header set-cookie b=2";
    // `Answer::of` refuses two lines of our name.
    let answer = world.run(NOBODY, &format!("{forged}; write a 1")).await;
    let lines = answer.set_cookies();
    assert_eq!(lines[..2], ["a=1", "b=2"]);
    assert_eq!(answer.token().len(), 43);
}

/// C5: neither the URL, a header nor the body carries it.
async fn the_token_is_taken_from_the_cookie_only(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    for path in [format!("/do?{NAME}={token}"), format!("/do?id={token}"), format!("/do?jsessionid={token}")]
    {
        let mut request = request(NOBODY, "new");
        *request.uri_mut() = path.parse().unwrap();
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("x-session", token.clone()),
            ("set-cookie", format!("{NAME}={token}")),
            ("cookie2", format!("{NAME}={token}")),
            ("referer", format!("https://example.com/?{NAME}={token}")),
        ] {
            request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
        }
        assert_eq!(world.send(request).await.one(), true, "{path}");
    }
}
