//! Pages on a phone and on a desk, for eyes and for screen readers.
//!
//! `CLOAKROOM_SCREENSHOTS=FOLDER` has a picture of each, to be looked at.

use std::{env, fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{tab::Tab, world::World};

/// The longest that the form takes, and nowhere to break it.
const LONG: &str = "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgeset";

const WIDTHS: [(u32, u32); 3] = [(320, 640), (390, 844), (1200, 900)];

#[tokio::test]
async fn every_page_fits_and_is_named() {
    let world = World::with_trail().await;
    let (browser, tab) = world.device("alice", "Laptop").await;
    for item in ["Umbrella", "Loden coat", "Numbered tags"] {
        let shop = browser.open("/").await;
        shop.follow(&format!("[aria-label='Put {item} into the cart']")).await;
    }
    let (_phone, on_phone) = world.device("alice", "Phone").await;
    on_phone.follow("#cart form.inline button").await;
    world.device("alice", LONG).await;
    // All that is to be seen has arrived.
    tab.sees("document.querySelectorAll('#feed li').length >= 4").await;
    tab.sees("[...document.querySelectorAll('#trail td')].filter((td) => td.textContent === 'changed').length >= 4").await;
    look(&tab, "account").await;
    for (path, name) in [("/", "shop"), ("/cart", "cart"), ("/sign-in", "sign-in"), ("/trail", "trail")] {
        tab.go(path).await;
        look(&tab, name).await;
    }
    tab.go("/account").await;
    tab.sees("document.querySelector('[data-state]').textContent.startsWith('Connected')").await;
    on_phone.follow("#sign-out-everywhere button").await;
    look(&on_phone, "account-of-nobody").await;
    tab.sees("document.getElementById('why').checkVisibility()").await;
    look(&tab, "account-ended").await;

    let (_browser, tab) = world.device(LONG, LONG).await;
    // What the page was asked for with arrives behind it.
    tab.sees("document.getElementById('trail').textContent.includes('signed_in')").await;
    look(&tab, "account-long").await;
    world.watch.assert_quiet();
}

async fn look(tab: &Tab, name: &str) {
    assert_named(tab, name).await;
    for (width, height) in WIDTHS {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        tab.call("Emulation.setDeviceMetricsOverride", screen).await;
        assert_fits(tab, &format!("{name} at {width}")).await;
        for scheme in ["light", "dark"] {
            let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
            tab.call("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
            assert_readable(tab, &format!("{name} at {width}, {scheme}")).await;
            if let Some(folder) = env::var_os("CLOAKROOM_SCREENSHOTS") {
                let file = Path::new(&folder).join(format!("{name}-{width}-{scheme}.png"));
                photograph(tab, &file).await;
            }
        }
    }
    tab.call("Emulation.clearDeviceMetricsOverride", json!({})).await;
}

/// Nothing is wider than the screen, but what can be scrolled by itself.
async fn assert_fits(tab: &Tab, what: &str) {
    let script = "(() => {
        const width = document.documentElement.clientWidth;
        const tooWide = [...document.body.querySelectorAll('*')].filter((element) => {
            if (element.closest('.wide, .skip')) return false;
            const box = element.getBoundingClientRect();
            return box.width > 0 && (box.right > width + 1 || box.left < -1);
        });
        return [document.documentElement.scrollWidth <= width, tooWide.map((element) => element.outerHTML.slice(0, 120))];
    })()";
    assert_eq!(tab.eval(script).await, json!([true, []]), "{what}");
}

/// What can be used or looked at says what it is, and is big enough for a thumb (WCAG 2.2, 2.5.8: 24 pixels).
async fn assert_named(tab: &Tab, what: &str) {
    let tree = tab.call("Accessibility.getFullAXTree", json!({})).await;
    let nodes = tree["nodes"].as_array().unwrap();
    let role = |node: &Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
    let named = |node: &&Value| !node["name"]["value"].as_str().unwrap_or_default().trim().is_empty();
    let shown: Vec<&Value> = nodes.iter().filter(|node| node["ignored"] == false).collect();
    for node in &shown {
        let needs = ["button", "link", "textbox", "combobox", "image", "region", "navigation", "heading"];
        assert!(!needs.contains(&&*role(node)) || named(node), "{what}: {node}");
    }
    for once in ["main", "banner", "navigation"] {
        assert_eq!(shown.iter().filter(|node| role(node) == once).count(), 1, "{what}: {once}");
    }
    let script = "[...document.querySelectorAll('button, input:not([type=hidden]), select')]
        .filter((control) => control.getBoundingClientRect().height < 24).map((control) => control.outerHTML)";
    assert_eq!(tab.eval(script).await, json!([]), "{what}");
}

/// All text stands out from what it stands on by 4.5 to 1 (WCAG 2.2, 1.4.3).
async fn assert_readable(tab: &Tab, what: &str) {
    let script = "(() => {
        const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
        const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4))
            .reduce((sum, c, n) => sum + c * [.2126, .7152, .0722][n], 0);
        const ground = (element) => {
            for (let e = element; e; e = e.parentElement) {
                const color = parse(getComputedStyle(e).backgroundColor);
                if (color.length === 3 || color[3] === 1) return color;
            }
            return [255, 255, 255];
        };
        const faint = [];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const element = texts.currentNode.parentElement;
            if (!texts.currentNode.textContent.trim() || !element.checkVisibility() || element.disabled) continue;
            if (element.closest('.fresh, .skip, script, option')) continue;
            const style = getComputedStyle(element);
            const ink = element.closest('svg') ? style.fill : style.color;
            const [a, b] = [light(parse(ink)), light(ground(element))];
            const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (ratio < 4.5) faint.push(`${ratio.toFixed(2)}: ${texts.currentNode.textContent}`);
        }
        return faint;
    })()";
    assert_eq!(tab.eval(script).await, json!([]), "{what}");
}

async fn photograph(tab: &Tab, file: &Path) {
    let metrics = tab.call("Page.getLayoutMetrics", json!({})).await;
    let size = &metrics["cssContentSize"];
    let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
    let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
    let picture = tab.call("Page.captureScreenshot", shot).await;
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
}
