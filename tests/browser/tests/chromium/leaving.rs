//! What is left on the screen, in the browser and in its history when a session ends.

use serde_json::{Value, json};

use crate::{
    line::Line,
    tab::Tab,
    world::{World, sign_in},
};

by_each_framework!(
    signed_out_everywhere_each_tab_says_why,
    a_sign_out_in_one_tab_empties_the_other,
    a_tab_that_was_away_is_emptied_too,
    the_back_button_brings_nothing_back,
);

const CONNECTED: &str = "document.querySelector('[data-state]').textContent.startsWith('Connected')";

/// Everything that the page is made of, seen or unseen.
async fn assert_nothing_personal(tab: &Tab) {
    let page = tab.eval("document.documentElement.outerHTML").await;
    assert_impersonal(page.as_str().unwrap());
}

fn assert_impersonal(page: &str) {
    for personal in ["alice", "Attic", "Cart (1)", "data-item", "127.0.0.0", "name=\"handle\""] {
        assert!(!page.contains(personal), "{personal}: {page}");
    }
}

async fn signed_out_everywhere_each_tab_says_why(framework: &str) {
    const WHY: &str = "You were signed out because it was asked for on Phone.";
    let world = World::new(framework).await;
    let (laptop, at_laptop) = world.device("alice", "Attic laptop").await;
    let shop = laptop.open("/").await;
    shop.follow("[aria-label='Put Umbrella into the cart']").await;
    let (phone, at_phone) = world.device("alice", "Phone").await;
    // Two tabs of the laptop: the account, and the cart, which the form has led to.
    at_laptop.sees(CONNECTED).await;
    assert_eq!(shop.eval("location.pathname").await, "/cart");
    assert!(shop.text().await.contains("Umbrella"));

    at_phone.follow("#sign-out-everywhere button").await;
    for tab in [&at_laptop, &shop] {
        tab.sees(&format!("document.getElementById('why').innerText.startsWith({WHY:?})")).await;
        assert_nothing_personal(tab).await;
    }
    // Whoever asked for it needs no explanation.
    assert_eq!(at_phone.why().await, "");
    assert_nothing_personal(&at_phone).await;
    for device in [&laptop, &phone] {
        let tab = device.open("/").await;
        assert_eq!(tab.session().await["user"], Value::Null);
    }
    world.watch.assert_quiet();
}

async fn a_sign_out_in_one_tab_empties_the_other(framework: &str) {
    let world = World::new(framework).await;
    let (laptop, first) = world.device("alice", "Attic laptop").await;
    let second = laptop.open("/account").await;
    second.sees(CONNECTED).await;
    assert!(second.text().await.contains("Attic laptop"));
    first.follow("nav form button").await;
    second.sees("document.getElementById('why').innerText.startsWith('You were signed out because you signed out in another tab.')").await;
    assert_nothing_personal(&second).await;
    assert_eq!(laptop.cookies().await, Vec::<Value>::new());
    world.watch.assert_quiet();
}

/// Its stream was cut when the session ended, and there is none to come back to.
async fn a_tab_that_was_away_is_emptied_too(framework: &str) {
    let world = World::new(framework).await;
    let (laptop, first) = world.device("alice", "Attic laptop").await;
    let line = Line::to(&world.demo.url).await;
    let second = laptop.elsewhere().await;
    second.visit(&format!("{}/account", line.url)).await;
    second.sees(CONNECTED).await;
    line.cut();
    second.sees("document.querySelector('[data-state]').textContent.startsWith('Connecting')").await;
    first.follow("nav form button").await;
    assert!(second.text().await.contains("alice"), "it does not know yet");
    line.mend();
    second.sees("!document.documentElement.outerHTML.includes('alice')").await;
    assert_nothing_personal(&second).await;
}

/// Neither from the cache nor as the page that was left. Chromium keeps that for a while, `no-store` or not: when the
/// cookie goes, it lets go of those pages, but not of the one that a sign-in has led to, unless something happens to it.
/// So nothing shall happen: here no stream has begun yet.
async fn the_back_button_brings_nothing_back(framework: &str) {
    let world = World::new(framework).await;
    for (form, landing) in [("/account", "/account"), ("/sign-in", "/")] {
        let laptop = world.profile().await;
        let tab = laptop.open(form).await;
        let no_stream = json!({ "source": "self.SharedWorker = class { port = {}; };" });
        tab.call("Page.addScriptToEvaluateOnNewDocument", no_stream).await;
        sign_in(&tab, "alice", "Attic laptop").await;
        assert_eq!(tab.eval("location.pathname").await, landing);
        // What can be read when the page is shown again, before anything else is done.
        tab.eval(
            "addEventListener('pageshow', () => sessionStorage.kept = document.documentElement.outerHTML)",
        )
        .await;
        tab.go("/cart").await;
        assert!(tab.text().await.contains("alice"));
        tab.follow("nav form button").await;
        assert_eq!(laptop.cookies().await, Vec::<Value>::new());
        for page in ["/cart", landing] {
            tab.back().await;
            // It was asked for again.
            tab.sees(&format!(
                "location.pathname === {page:?} && document.readyState === 'complete' && \
                 performance.getEntriesByType('navigation')[0].type !== 'navigate'"
            ))
            .await;
            assert_nothing_personal(&tab).await;
        }
        let kept = tab.eval("sessionStorage.kept ?? ''").await;
        assert_impersonal(kept.as_str().unwrap());
    }
    world.watch.assert_quiet();
}
