//! One cart in several tabs.

use futures_util::future::join_all;
use serde_json::json;

use crate::world::World;

by_each_framework!(tabs_that_add_at_once_lose_nothing, more_tabs_than_a_browser_has_connections);

async fn tabs_that_add_at_once_lose_nothing(framework: &str) {
    let world = World::new(framework).await;
    let (profile, first) = world.device("alice", "Laptop").await;
    let tabs = [first, profile.open("/account").await, profile.open("/account").await];

    // By the form, as people do it: each tab another item, at the same time.
    for _ in 0..4 {
        join_all(tabs.iter().zip(["peg", "hat", "bell"]).map(async |(tab, item)| {
            // Whoever is in the middle of a form keeps it, though the page is brought up to date meanwhile.
            tab.click("#add-item").await;
            tab.eval(&format!("document.getElementById('add-item').value = '{item}'")).await;
            tab.follow("#cart form.inline button").await;
        }))
        .await;
    }
    assert_eq!(tabs[0].session().await["cart"], json!({ "peg": 4, "hat": 4, "bell": 4 }));

    // And as many at once as a browser will.
    let burst = "Promise.all(Array.from({ length: 10 }, () => fetch('/cart/add', { method: 'POST', \
        body: new URLSearchParams({ item: 'umbrella' }) }).then((answer) => answer.status)))";
    for answers in join_all(tabs.iter().map(|tab| tab.eval(burst))).await {
        assert_eq!(answers, json!([200, 200, 200, 200, 200, 200, 200, 200, 200, 200]));
    }
    assert_eq!(tabs[0].session().await["cart"]["umbrella"], 30);
    // Each tab was told, and shows it.
    for tab in &tabs {
        tab.sees("document.querySelector('#cart [data-item=umbrella] td').textContent === '30'").await;
        tab.sees("document.getElementById('cart-count').textContent === 'Cart (42)'").await;
    }
    world.watch.assert_quiet();
}

/// Over HTTP/1.1 Chromium opens six to a host; each page here is one that listens.
async fn more_tabs_than_a_browser_has_connections(framework: &str) {
    let world = World::new(framework).await;
    let (profile, first) = world.device("alice", "Laptop").await;
    let mut tabs = vec![first];
    for _ in 0..7 {
        tabs.push(profile.open("/account").await);
    }
    for tab in &tabs {
        tab.sees("document.querySelector('[data-state]').textContent.startsWith('Connected')").await;
    }
    tabs[0].follow("#cart form.inline button").await;
    for tab in &tabs {
        tab.sees("document.getElementById('cart-count').textContent === 'Cart (1)'").await;
    }
    tabs[7].follow("nav form button").await;
    for tab in &tabs[..7] {
        tab.sees("document.getElementById('why').innerText.includes('you signed out in another tab')").await;
    }
    world.watch.assert_quiet();
}
