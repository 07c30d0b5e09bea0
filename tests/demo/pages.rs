use http::{StatusCode, header};
use servers::Redis;

use crate::{browser::Browser, process::Demo};

by_each_framework!(
    what_visitors_type_is_text,
    wrong_input_changes_nothing,
    every_answer_has_the_strict_headers,
    another_host_is_refused,
    an_outage_is_told_to_each_in_its_own_way
);

const NASTY: &str = "<script>alert(\"1\")</script>&'";

async fn what_visitors_type_is_text(framework: &str) {
    let demo = Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await;
    let browser = Browser::at(&demo);
    browser.add("hat").await;
    browser.sign_in(NASTY).await;
    for path in ["/", "/cart", "/sign-in", "/trail"] {
        let page = browser.page(path).await;
        assert!(
            page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
            "{path}: {page}"
        );
        assert!(!page.contains("<script"), "{path}: {page}");
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
    for path in ["/", "/cart", "/sign-in", "/trail", "/healthz", "/session.json", "/style.css", "/nowhere"] {
        let response = browser.get(path).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    }
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
