//! What a real cookie jar makes of the session cookie, and what it lets a hostile script do.

use serde_json::{Value, json};

use crate::{profile::Profile, tab::Tab, until, world::World};

by_each_framework!(
    the_cookie_is_what_it_is_documented_to_be,
    no_script_reads_or_replaces_it,
    a_second_cookie_of_the_name_lets_nobody_in,
    a_name_that_only_looks_like_it_is_another,
    another_site_may_link_but_not_post,
);

async fn the_cookie_is_what_it_is_documented_to_be(framework: &str) {
    let world = World::new(framework).await;
    let browser = world.profile().await;
    let tab = browser.open("/").await;
    tab.go("/account").await;
    assert_eq!(browser.cookies().await, Vec::<Value>::new(), "looking around makes no session");

    let mut tokens = Vec::new();
    tab.go("/").await;
    tab.follow("[aria-label='Put Umbrella into the cart']").await;
    tokens.push(assert_only_cookie(&browser).await);
    tab.go("/sign-in").await;
    tab.enter("#name", "alice").await;
    tab.follow("#sign-in button").await;
    tokens.push(assert_only_cookie(&browser).await);
    assert_ne!(tokens[0], tokens[1], "signing in changes the token");
    tab.go("/cart").await;
    tab.follow("[aria-label='Take one Umbrella out']").await;
    assert_eq!(assert_only_cookie(&browser).await, tokens[1], "and nothing else does");

    tab.follow("nav form button").await;
    assert_eq!(browser.cookies().await, Vec::<Value>::new());
    world.watch.assert_quiet();
}

/// `HttpOnly; SameSite=Lax; Path=/`, for this host alone, until the browser is closed. Without `Secure`, as the demo
/// is for plain HTTP on this machine. Answers with the token.
async fn assert_only_cookie(browser: &Profile) -> String {
    let [mut cookie] = <[Value; 1]>::try_from(browser.cookies().await).unwrap();
    let token = cookie["value"].take();
    let token = token.as_str().unwrap();
    assert_eq!(token.len(), 43);
    let told =
        ["name", "domain", "path", "expires", "session", "httpOnly", "secure", "sameSite", "partitionKey"];
    let told: Vec<Value> = told.iter().map(|field| cookie[field].take()).collect();
    // A domain attribute would show as ".127.0.0.1".
    assert_eq!(json!(told), json!(["id", "127.0.0.1", "/", -1, true, true, false, "Lax", null]));
    token.to_owned()
}

async fn no_script_reads_or_replaces_it(framework: &str) {
    let world = World::new(framework).await;
    let (browser, tab) = world.device("alice", "Laptop").await;
    let token = browser.token().await.unwrap();
    assert_eq!(tab.eval("document.cookie").await, "");
    for line in ["id=planted; path=/", "id=; path=/; max-age=0", "id=planted; path=/; secure"] {
        browser.script_sets(&tab, line).await;
        assert_eq!(browser.token().await.as_ref(), Some(&token), "{line}");
    }
    assert_eq!(tab.session().await["user"], "alice");
    // Nor is it in anything that a script can get hold of.
    for path in ["/", "/account", "/cart", "/session.json", "/script.js"] {
        let script =
            format!("fetch({path:?}).then(async (a) => JSON.stringify([...a.headers]) + await a.text())");
        assert!(!tab.eval(&script).await.as_str().unwrap().contains(&token), "{path}");
    }
    world.watch.assert_quiet();
}

/// A script, or a neighbour on another subdomain, can't replace the cookie but can set another of its name, which
/// comes first where its path is longer.
async fn a_second_cookie_of_the_name_lets_nobody_in(framework: &str) {
    let world = World::new(framework).await;
    let (mallorys, atmallorys) = world.device("mallory", "Den").await;
    let planted = mallorys.token().await.unwrap();
    let (browser, tab) = world.device("alice", "Laptop").await;
    for path in ["/account", "/cart"] {
        browser.script_sets(&tab, &format!("id={planted}; path={path}")).await;
    }
    assert_eq!(browser.cookies().await.len(), 3, "the browser lets it happen");

    tab.go("/account").await;
    let page = tab.text().await;
    assert!(page.contains("Sign in to see where you are signed in."), "{page}");
    assert!(!page.contains("mallory"), "{page}");
    // Where only the real one is sent, it is the real one.
    tab.go("/").await;
    assert!(tab.text().await.contains("alice"));

    // What is put into a cart goes into nobody else's.
    let post = "fetch('/cart/add', { method: 'POST', body: new URLSearchParams({ item: 'coat' }) })";
    tab.eval(&format!("{post}.then((answer) => answer.status)")).await;
    for (path, form) in [("/account/revoke", "handle=x"), ("/account/sign-out-everywhere", "")] {
        let post = format!("fetch({path:?}, {{ method: 'POST', body: new URLSearchParams({form:?}) }})");
        tab.eval(&format!("{post}.then((answer) => answer.status)")).await;
    }
    let mallory = atmallorys.session().await;
    assert_eq!((&mallory["user"], &mallory["cart"]), (&json!("mallory"), &json!({})));
    let log = world.demo.output();
    assert!(log.contains("more than one session token in a request"), "{log}");
}

/// Some servers decode names, or trim what Unicode calls space.
async fn a_name_that_only_looks_like_it_is_another(framework: &str) {
    let world = World::new(framework).await;
    let (mallorys, _) = world.device("mallory", "Den").await;
    let planted = mallorys.token().await.unwrap();
    let visitor = world.profile().await;
    let at_visitors = visitor.open("/").await;
    let (alices, at_alices) = world.device("alice", "Laptop").await;

    let names = ["%69d", "i%64", "ID", "\u{a0}id", "\u{2000}id", "id\u{3000}", "$id", "__Host-id"];
    for (browser, tab) in [(&visitor, &at_visitors), (&alices, &at_alices)] {
        for name in names {
            browser.script_sets(tab, &format!("{name}={planted}; path=/")).await;
        }
        browser.script_sets(tab, &format!("x=1, id={planted}; path=/")).await;
        browser.script_sets(tab, "y=\"; path=/").await;
    }
    assert!(visitor.cookies().await.len() >= 8, "the browser lets it happen: {:?}", visitor.cookies().await);
    assert_eq!(visitor.token().await, None);
    assert_eq!(user(&at_visitors).await, Value::Null);
    assert!(alices.cookies().await.len() >= 9);
    assert_eq!(user(&at_alices).await, "alice");
    world.watch.assert_quiet();
}

async fn another_site_may_link_but_not_post(framework: &str) {
    let world = World::new(framework).await;
    let (browser, at_account) = world.device("alice", "Laptop").await;
    let url = &world.demo.url;
    // The same server, but to a browser `localhost` is another site than `127.0.0.1`.
    let other_site = url.replace("127.0.0.1", "localhost");
    let [posting, linking] = [browser.elsewhere().await, browser.elsewhere().await];
    for (tab, page) in [
        (
            &posting,
            format!(
                "<form method=post action='{url}/account/sign-out-everywhere'><button>Win a hat</button></form>"
            ),
        ),
        (&linking, format!("<a href='{url}/account'>cheap hats</a>")),
    ] {
        // Whoever attacks has no such policy.
        tab.call("Page.setBypassCSP", json!({ "enabled": true })).await;
        tab.visit(&other_site).await;
        tab.eval(&format!("document.body.innerHTML = {page:?}")).await;
    }
    posting.follow("button").await;
    let answer = posting.text().await;
    assert!(answer.contains("This form was not sent by a page of this shop."), "{answer}");
    // "Schemeful", where it counts http and https as two sites.
    until("what became of the cookie", async || !posting.blocked_cookies().is_empty()).await;
    let blocked = posting.blocked_cookies();
    assert!(matches!(&*blocked, [why] if why.ends_with("SameSiteLax")), "{blocked:?}");
    assert_eq!(user(&at_account).await, "alice");
    linking.follow("a").await;
    assert!(linking.text().await.contains("alice"));
}

async fn user(tab: &Tab) -> Value {
    tab.session().await["user"].take()
}
