//! Two browsers of one visitor.

use servers::Redis;

use crate::{
    profile::Profile,
    tab::Tab,
    world::{World, sign_in},
};

by_each_framework!(
    devices_see_each_other,
    what_happens_on_one_device_appears_on_the_other,
    a_device_that_is_signed_out_from_another_is_told_at_once,
    a_browser_without_shared_workers_hears_it_too,
    a_handle_is_no_key,
);

/// The names of the devices that a page lists, with what stands beside them.
const LISTED: &str =
    "[...document.querySelectorAll('#devices h3')].map((name) => name.textContent.trim()).sort().join()";

const SIGN_OUT_PHONE: &str = "#devices button[aria-label='Sign out Phone']";

async fn lists(tab: &Tab, devices: &str) {
    tab.sees(&format!("{LISTED} === {devices:?}")).await;
}

async fn devices_see_each_other(framework: &str) {
    let world = World::new(framework).await;
    let (_laptop, at_laptop) = world.device("alice", "Laptop").await;
    lists(&at_laptop, "Laptop This device").await;
    let (_phone, at_phone) = world.device("alice", "Phone").await;
    let (_stranger, at_strangers) = world.device("bob", "Elsewhere").await;
    lists(&at_phone, "Laptop,Phone This device").await;
    // By the stream: this page was not loaded again.
    lists(&at_laptop, "Laptop This device,Phone").await;
    lists(&at_strangers, "Elsewhere This device").await;
    world.watch.assert_quiet();
}

async fn what_happens_on_one_device_appears_on_the_other(framework: &str) {
    let world = World::new(framework).await;
    let (_laptop, at_laptop) = world.device("alice", "Laptop").await;
    let (_stranger, at_strangers) = world.device("bob", "Elsewhere").await;
    for tab in [&at_laptop, &at_strangers] {
        tab.sees("document.querySelector('[data-state]').textContent.startsWith('Connected')").await;
        tab.eval("window.sameDocument = true").await;
    }

    let (phone, at_phone) = world.device("alice", "Phone").await;
    let feed = |text: &str| format!("document.getElementById('feed').innerText.includes({text:?})");
    at_laptop.sees(&feed("You signed in elsewhere")).await;
    let shop = phone.open("/").await;
    shop.follow("[aria-label='Put Umbrella into the cart']").await;
    at_laptop.sees(&feed("Another of your sessions changed: cart")).await;
    at_phone.sees(&feed("This session changed: cart")).await;
    at_phone.sees("document.querySelector('#cart [data-item=umbrella] td').textContent === '1'").await;
    // Each of its own session, and no word of it to anybody else.
    at_laptop.sees("document.getElementById('cart').innerText.includes('Nothing in it yet')").await;
    for tab in [&at_laptop, &at_strangers] {
        assert_eq!(tab.eval("window.sameDocument").await, true);
    }
    assert_eq!(at_strangers.eval("document.querySelectorAll('#feed li').length").await, 0);
    world.watch.assert_quiet();
}

async fn a_device_that_is_signed_out_from_another_is_told_at_once(framework: &str) {
    const WHY: &str = "You were signed out because it was asked for on Laptop.";
    let world = World::new(framework).await;
    let (laptop, at_laptop) = world.device("alice", "Laptop").await;
    let (phone, at_phone) = world.device("alice", "Phone").await;
    at_phone.sees("document.querySelector('[data-state]').textContent.startsWith('Connected')").await;
    lists(&at_laptop, "Laptop This device,Phone").await;

    at_laptop.follow(SIGN_OUT_PHONE).await;
    lists(&at_laptop, "Laptop This device").await;
    at_phone.sees(&format!("document.getElementById('why').innerText.startsWith({WHY:?})")).await;
    at_phone.sees("document.getElementById('why').checkVisibility()").await;

    at_phone.follow("#why a").await;
    assert_eq!(at_phone.why().await, WHY);
    // Once. Then the cookie is gone, and with it whatever could be said.
    assert_eq!(phone.cookies().await, Vec::<serde_json::Value>::new());
    at_phone.go("/account").await;
    assert_eq!(at_phone.why().await, "");
    assert_eq!(at_laptop.session().await["user"], "alice");
    assert!(laptop.token().await.is_some());
    world.watch.assert_quiet();
}

/// As Chrome on Android was for long.
async fn a_browser_without_shared_workers_hears_it_too(framework: &str) {
    let world = World::new(framework).await;
    let phone = world.profile().await;
    let at_phone = phone.elsewhere().await;
    let without = serde_json::json!({ "source": "delete self.SharedWorker;" });
    at_phone.call("Page.addScriptToEvaluateOnNewDocument", without).await;
    at_phone.go("/account").await;
    sign_in(&at_phone, "alice", "Phone").await;
    assert_eq!(at_phone.eval("'SharedWorker' in self").await, false);
    at_phone.sees("document.querySelector('[data-state]').textContent.startsWith('Connected')").await;
    let (_laptop, at_laptop) = world.device("alice", "Laptop").await;
    lists(&at_phone, "Laptop,Phone This device").await;
    at_laptop.follow("#sign-out-everywhere button").await;
    at_phone.sees("document.getElementById('why').innerText.includes('it was asked for on Laptop')").await;
    world.watch.assert_quiet();
}

/// What names a device in the page lets nobody in, and tells nothing of what does.
async fn a_handle_is_no_key(framework: &str) {
    let world = World::new(framework).await;
    let (_laptop, at_laptop) = world.device("alice", "Laptop").await;
    let (phone, at_phone) = world.device("alice", "Phone").await;
    lists(&at_laptop, "Laptop This device,Phone").await;
    let handle = at_laptop.eval("document.querySelector('#devices [name=handle]').value").await;
    let handle = handle.as_str().unwrap();
    let token = phone.token().await.unwrap();
    assert!(handle.len() >= 16, "{handle}");

    let mut secrets = key_hashes(&world.redis);
    assert_eq!(secrets.len(), 2, "{secrets:?}");
    secrets.push(at_phone.session().await["ref"].as_str().unwrap().to_owned());
    secrets.extend(hashes(&at_laptop, &token).await);
    secrets.push(token);
    for secret in &secrets {
        // Nor a piece of one.
        assert!(
            handle
                .as_bytes()
                .windows(8)
                .all(|piece| !secret.as_bytes().windows(8).any(|other| other == piece))
        );
    }

    let thief: Profile = world.profile().await;
    thief.set_cookie("id", handle).await;
    let at_thiefs = thief.open("/").await;
    assert_eq!(at_thiefs.session().await["user"], serde_json::Value::Null);
    world.watch.assert_quiet();
}

/// The last part of the key of each session in Redis.
fn key_hashes(redis: &Redis) -> Vec<String> {
    let keys = redis.command(&["KEYS", "*:s:*"]).unwrap();
    keys.lines().map(|key| key.rsplit(':').next().unwrap().to_owned()).collect()
}

/// SHA-256 of a token, in hex and in base64.
async fn hashes(tab: &Tab, token: &str) -> Vec<String> {
    let script = format!(
        "crypto.subtle.digest('SHA-256', new TextEncoder().encode({token:?})).then((hash) => {{
            const bytes = [...new Uint8Array(hash)];
            const base64 = btoa(String.fromCharCode(...bytes));
            return [bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''), base64,
                base64.replaceAll('+', '-').replaceAll('/', '_')];
        }})"
    );
    serde_json::from_value(tab.eval(&script).await).unwrap()
}
