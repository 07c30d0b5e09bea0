//! The content security policy, and that a violation of it would be noticed.

use crate::world::World;

by_each_framework!(an_injected_script_does_not_run, every_page_is_quiet);

/// The control of [`Watch::assert_quiet`](crate::watch::Watch::assert_quiet), which ends the other tests.
async fn an_injected_script_does_not_run(framework: &str) {
    let world = World::new(framework).await;
    let (_laptop, tab) = world.device("alice", "Laptop").await;
    world.watch.assert_quiet();

    let attacks = [
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script);",
        "document.body.insertAdjacentHTML('beforeend', '<img src=/nothing onerror=\"window.ran = 2\">');",
        "const script2 = document.createElement('script'); script2.src = 'http://localhost:9/x.js'; document.body.append(script2);",
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"position: fixed\">');",
        "fetch('http://localhost:9/').catch(() => {});",
        "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"/\">');",
        "document.body.insertAdjacentHTML('beforeend', '<form id=theft action=\"http://localhost:9/\">'); theft.submit();",
        "document.body.insertAdjacentHTML('beforeend', '<base href=\"http://localhost:9/\">');",
    ];
    let blocked = [
        "script-src-elem blocks inline",
        "script-src-attr blocks inline",
        "script-src-elem blocks http://localhost:9/x.js",
        "style-src-attr blocks inline",
        "connect-src blocks http://localhost:9/",
        "frame-src blocks ",
        "form-action blocks http://localhost:9/",
        "base-uri blocks http://localhost:9/",
    ];
    for (attack, blocked) in attacks.into_iter().zip(blocked) {
        tab.eval(&format!("{{ {attack} }}")).await;
        let noticed = async || world.watch.complaints().iter().any(|complaint| complaint.contains(blocked));
        crate::until(&format!("{blocked}, after {attack}"), noticed).await;
    }
    assert_eq!(tab.eval("window.ran").await, serde_json::Value::Null);
    // Nor does anybody put the shop into a frame of his own.
    tab.eval("console.log('heard')").await;
    crate::until("the console", async || world.watch.complaints().iter().any(|line| line.contains("heard")))
        .await;
}

async fn every_page_is_quiet(framework: &str) {
    let world = World::new(framework).await;
    let (_laptop, tab) = world.device("<img src=x onerror=alert(1)>", "<script>alert(1)</script>").await;
    for page in ["/", "/cart", "/sign-in", "/account", "/trail"] {
        tab.go(page).await;
        assert_eq!(tab.eval("document.querySelectorAll('main img, main script').length").await, 0, "{page}");
    }
    // The icon is there, too.
    let icon = "fetch(document.querySelector('link[rel=icon]').href).then((a) => `${a.status} ${a.headers.get('content-type')}`)";
    assert_eq!(tab.eval(icon).await, "200 image/svg+xml");
    world.watch.assert_quiet();
}
