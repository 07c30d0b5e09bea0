use http::{StatusCode, header};
use servers::Redis;

use crate::{browser::Browser, process::Demo};

by_each_framework!(
    what_visitors_type_is_text,
    wrong_input_changes_nothing,
    every_answer_has_the_strict_headers,
    a_form_of_another_origin_is_refused,
    another_host_is_refused,
    an_outage_is_told_to_each_in_its_own_way
);

const NASTY: &str = "<script>alert(\"1\")</script>&'";

async fn what_visitors_type_is_text(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let browser = Browser::at(&demo);
    browser.add("hat").await;
    browser.sign_in(NASTY).await;
    for path in ["/", "/cart", "/sign-in", "/trail", "/account"] {
        let page = browser.page(path).await;
        assert!(
            page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
            "{path}: {page}"
        );
        assert_nothing_inline(path, &page);
    }
}

/// The one script is a file of ours; no attribute is one, and no style either.
fn assert_nothing_inline(path: &str, page: &str) {
    let page = page.replace("<script src=\"/script.js\" defer></script>", "");
    for inline in ["<script", "<style", " style=", "javascript:", " onclick", " onload", " onerror"] {
        assert!(!page.contains(inline), "{path} has {inline}: {page}");
    }
}

async fn wrong_input_changes_nothing(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let browser = Browser::at(&demo);
    for (path, form, status) in [
        ("/cart/add", ("item", "moon"), StatusCode::NOT_FOUND),
        ("/cart/remove", ("item", "moon"), StatusCode::NOT_FOUND),
        ("/cart/add", ("thing", "hat"), StatusCode::UNPROCESSABLE_ENTITY),
        ("/sign-in", ("name", "  "), StatusCode::BAD_REQUEST),
        ("/sign-in", ("name", &"x".repeat(65)), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(browser.post(path, &[form]).await.status(), status, "{path} {form:?}");
    }
    assert_eq!(browser.get("/cart/add").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    browser.submit("/cart/remove", &[("item", "hat")]).await;
    assert_eq!(browser.token(), None);
}

async fn every_answer_has_the_strict_headers(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let browser = Browser::at(&demo);
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    browser.add("hat").await;
    for (path, personal) in [
        ("/", true),
        ("/cart", true),
        ("/account", true),
        ("/sign-in", true),
        ("/account/events", true),
        ("/trail", true),
        ("/session.json", true),
        ("/healthz", false),
        ("/style.css", false),
        ("/script.js", false),
        ("/feed.js", false),
        ("/icon.svg", false),
        ("/nowhere", false),
    ] {
        let response = browser.get(path).await;
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], POLICY, "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let cached = headers.get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap());
        assert!(!personal || cached.is_some_and(|value| value.contains("no-store")), "{path}: {cached:?}");
    }
}

/// Another port of this machine is the same site, so the cookie alone would let it in.
async fn a_form_of_another_origin_is_refused(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let browser = Browser::at(&demo);
    let own = demo.url.as_str();
    for (name, value, status) in [
        ("origin", "http://127.0.0.1:1", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("origin", own, StatusCode::SEE_OTHER),
        ("sec-fetch-site", "same-origin", StatusCode::SEE_OTHER),
    ] {
        let response = browser.post_with("/cart/add", &[("item", "hat")], (name, value)).await;
        assert_eq!(response.status(), status, "{name}: {value}");
    }
    assert_eq!(browser.session().await["cart"]["hat"], 2, "only what was accepted");
}

/// The cookie for plain HTTP is for this machine only.
async fn another_host_is_refused(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(&demo.url).header(header::HOST, "shop.example").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

/// A browser gets a page that asks again by itself, a script one sentence.
async fn an_outage_is_told_to_each_in_its_own_way(framework: &str) {
    let mut redis = Redis::durable().unwrap();
    let demo =
        Demo::with(&[("DEMO_FRAMEWORK", framework), ("REDIS_URL", &redis.url()), ("DEMO_TRAIL", "none")])
            .await;
    let browser = Browser::at(&demo);
    browser.add("hat").await;
    redis.kill().unwrap();
    let page = browser.get("/cart").await.text().await.unwrap();
    assert!(page.contains("http-equiv=\"refresh\"") && page.contains("out of reach"), "{page}");
    let text = browser.post("/cart/add", &[("item", "hat")]).await.text().await.unwrap();
    assert_eq!(text, "Sessions are out of reach at the moment. Please try again.\n");
}
