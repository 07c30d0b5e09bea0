//! The account page: devices, the feed, and what it tells when a session ends.

use http::StatusCode;
use serde_json::json;
use servers::{Postgres, Redis};

use crate::{browser::Browser, process::Demo, until};

by_each_framework!(
    devices_are_listed_and_revoked,
    a_device_may_be_called_anything,
    the_feed_tells_and_ends_with_the_session,
    the_feed_goes_on_where_it_was,
    an_anonymous_cart_is_followed_from_another_tab,
    the_page_works_without_a_session
);

async fn embedded(framework: &str) -> Demo {
    Demo::with(&[("DEMO_FRAMEWORK", framework), ("DEMO_EMBEDDED", "1")]).await
}

/// The handles that the page offers to end.
fn handles(page: &str) -> Vec<String> {
    let parts = page.split("name=\"handle\" value=\"").skip(1);
    parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

async fn sign_in(browser: &Browser, name: &str, device: &str) {
    browser.submit("/sign-in", &[("name", name), ("device", device), ("from", "account")]).await;
}

async fn user(browser: &Browser) -> serde_json::Value {
    browser.session().await["user"].clone()
}

async fn devices_are_listed_and_revoked(framework: &str) {
    let demo = embedded(framework).await;
    let [laptop, phone, tablet, stranger] = [(); 4].map(|()| Browser::at(&demo));
    sign_in(&laptop, "alice", "Laptop").await;
    sign_in(&phone, "alice", "Phone").await;
    sign_in(&tablet, "alice", "Tablet").await;
    sign_in(&stranger, "bob", "Elsewhere").await;

    let page = laptop.page("/account").await;
    for shown in ["Laptop", "Phone", "Tablet", "This device", "127.0.0.0/24", "name only", "just now"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Elsewhere"), "{page}");
    let [tablets, phones] = handles(&page).try_into().expect("the other two, the youngest first");

    for handle in [&*tablets, "nonsense", ""] {
        let response = stranger.post("/account/revoke", &[("handle", handle)]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{handle:?}");
    }
    assert_eq!(user(&tablet).await, "alice");

    laptop.submit("/account/revoke", &[("handle", &phones)]).await;
    let told = phone.page("/account").await;
    assert!(told.contains("You were signed out because it was asked for on Laptop."), "{told}");
    assert_eq!(phone.token(), None, "once");
    assert_eq!((user(&phone).await, user(&tablet).await), (json!(null), json!("alice")));

    laptop.submit("/account/sign-out-others", &[]).await;
    assert_eq!((user(&laptop).await, user(&tablet).await), (json!("alice"), json!(null)));
    assert_eq!(handles(&laptop.page("/account").await), Vec::<String>::new());
    assert_eq!(user(&stranger).await, "bob");
}

/// By the visitor, or by a `User-Agent` that is up to no good.
async fn a_device_may_be_called_anything(framework: &str) {
    const NASTY: &str = "<img src=x onerror=\"alert(1)\">";
    let demo = embedded(framework).await;
    let browser = Browser::at(&demo);
    sign_in(&browser, "alice", NASTY).await;
    let other = Browser::at(&demo);
    let agent = format!("Mozilla/5.0 (X11; Linux x86_64) {NASTY}");
    other.post_with("/sign-in", &[("name", "alice")], ("user-agent", &agent)).await;
    let page = browser.page("/account").await;
    assert!(page.contains("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"), "{page}");
    assert!(page.contains("Linux") && !page.contains("<img"), "{page}");

    other.submit("/account/sign-out-everywhere", &[]).await;
    let page = browser.page("/sign-in").await;
    assert!(page.contains("it was asked for on Linux."), "{page}");
}

/// On Redis, where another instance would hear of it by the same way.
async fn the_feed_tells_and_ends_with_the_session(framework: &str) {
    let redis = Redis::durable().unwrap();
    let environment = [("DEMO_FRAMEWORK", framework), ("REDIS_URL", &*redis.url()), ("DEMO_TRAIL", "none")];
    let other = if framework == "axum" { "actix" } else { "axum" };
    let (demo, second) = (
        Demo::with(&environment).await,
        Demo::with(&[environment[1], environment[2], ("DEMO_FRAMEWORK", other)]).await,
    );
    let (laptop, phone) = (Browser::at(&demo), Browser::at(&second));
    sign_in(&laptop, "alice", "Laptop").await;
    sign_in(&phone, "alice", "Phone").await;

    let mut feed = laptop.feed(None).await;
    phone.add("bell").await;
    let told = feed.message("event: change").await.unwrap();
    assert!(told.contains("Another of your sessions changed: cart"), "{told}");
    laptop.add("hat").await;
    let told = feed.message("This session changed: cart").await.unwrap();
    assert!(told.contains("id: ") && told.contains("\"here\":true"), "{told}");

    phone.submit("/account/sign-out-everywhere", &[]).await;
    let told = feed.message("event: ended").await.unwrap();
    assert!(told.contains("\"reason\":\"revoked_by_user\""), "{told}");
    assert!(told.contains("You were signed out because it was asked for on Phone."), "{told}");
    assert_eq!(feed.message("event:").await, None, "the stream is over");
    let page = laptop.page("/account").await;
    assert!(
        page.contains("role=\"status\">You were signed out because it was asked for on Phone."),
        "{page}"
    );
}

async fn the_feed_goes_on_where_it_was(framework: &str) {
    let redis = Redis::durable().unwrap();
    let demo =
        Demo::with(&[("DEMO_FRAMEWORK", framework), ("REDIS_URL", &redis.url()), ("DEMO_TRAIL", "none")])
            .await;
    let browser = Browser::at(&demo);
    sign_in(&browser, "alice", "Laptop").await;
    let mut feed = browser.feed(None).await;
    browser.add("hat").await;
    let seen = feed.message("event: change").await.unwrap();
    let id = seen.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(feed);

    browser.submit("/cart/remove", &[("item", "hat")]).await;
    let mut feed = browser.feed(Some(&id)).await;
    let missed = feed.message("event: change").await.unwrap();
    assert!(!missed.contains(&id), "what was seen is not told again: {missed}");
    // A name that is none is as if there were none.
    browser.feed(Some("<nonsense>")).await;
}

async fn an_anonymous_cart_is_followed_from_another_tab(framework: &str) {
    let demo = embedded(framework).await;
    let browser = Browser::at(&demo);
    browser.add("hat").await;
    let mut tab = browser.feed(None).await;
    tokio::join!(browser.add("bell"), browser.add("coat"));
    tab.message("changed: cart").await.unwrap();
    tab.message("changed: cart").await.unwrap();
    let page = browser.page("/account").await;
    for item in ["Felt hat", "Counter bell", "Loden coat"] {
        assert!(page.contains(&format!("<th scope=\"row\">{item}</th>")), "{item}: {page}");
    }
    sign_in(&browser, "alice", "Laptop").await;
    let told = tab.message("event: ended").await.unwrap();
    assert!(told.contains("\"reason\":\"replaced\""), "{told}");
    assert_eq!(tab.message("event:").await, None);
}

async fn the_page_works_without_a_session(framework: &str) {
    let demo = embedded(framework).await;
    let browser = Browser::at(&demo);
    let page = browser.page("/account").await;
    for id in ["devices", "cart", "feed", "queue", "latency", "trail", "why", "sign-in"] {
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}: {page}");
    }
    assert_eq!(browser.get("/account/events").await.status(), StatusCode::NO_CONTENT);
    for path in ["/account/sign-out-others", "/account/sign-out-everywhere"] {
        browser.submit(path, &[]).await;
    }
    assert_eq!(browser.token(), None, "nothing of that makes a session");
}

/// The visitor's own rows out of PostgreSQL, and the facts of the queue before it.
#[tokio::test]
async fn the_trail_is_the_visitors_own() {
    let (redis, postgres) = (Redis::durable().unwrap(), Postgres::start().unwrap());
    let demo = Demo::on("axum", &redis, &postgres).await;
    let (alice, bob) = (Browser::at(&demo), Browser::at(&demo));
    sign_in(&alice, "alice", "Laptop").await;
    sign_in(&bob, "bob", "Phone").await;
    bob.add("umbrella").await;
    until("both are stored", async || {
        let page = bob.page("/account").await;
        page.contains("<td>signed_in</td>") && page.contains("<td>changed</td>")
    })
    .await;
    until("alice's is stored", async || alice.page("/account").await.contains("<td>signed_in</td>")).await;
    let page = alice.page("/account").await;
    assert!(!page.contains("<td>changed</td>"), "{page}");
    for fact in ["Waiting", "Oldest", "Dead letters", "Bare GET", "× GET"] {
        assert!(page.contains(fact), "{fact}: {page}");
    }
}

/// A stream must not hold the server up.
#[tokio::test]
async fn an_open_feed_ends_with_the_server() {
    for framework in ["axum", "actix"] {
        let demo = embedded(framework).await;
        let browser = Browser::at(&demo);
        browser.add("hat").await;
        let mut feed = browser.feed(None).await;
        let (ended, (status, output)) = tokio::join!(feed.message("event: ended"), demo.terminate());
        assert_eq!((ended, status.code()), (None, Some(0)), "{output}");
    }
}
