//! One visitor's browser: cookies and cache of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::{devtools::DevTools, tab::Tab, until, watch::Watch};

const MARK: &str = "mark";

/// What the protocol calls a browser context.
pub struct Profile {
    devtools: DevTools,
    id: String,
    watch: Watch,
    /// Of the shop.
    url: String,
}

impl Profile {
    pub async fn new(devtools: &DevTools, watch: &Watch, url: &str) -> Self {
        let made = devtools.call("", "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await;
        let id = made["browserContextId"].as_str().unwrap().to_owned();
        Self { devtools: devtools.clone(), id, watch: watch.clone(), url: url.to_owned() }
    }

    /// A new tab that shows a page of the shop.
    pub async fn open(&self, path: &str) -> Tab {
        let tab = self.elsewhere().await;
        tab.go(path).await;
        tab
    }

    /// A new tab with an empty page, which is nobody's.
    pub async fn elsewhere(&self) -> Tab {
        // In a window of its own: a tab behind another is drawn and clicked by nobody.
        let target = json!({ "url": "about:blank", "browserContextId": self.id, "newWindow": true });
        let target = self.devtools.call("", "Target.createTarget", target).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.devtools.call("", "Target.attachToTarget", attach).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        self.watch.follow(&session).await;
        Tab::new(self.devtools.clone(), session, self.url.clone())
    }

    /// Everything in the cookie jar, as the browser tells it.
    pub async fn cookies(&self) -> Vec<Value> {
        let mut cookies = self.jar().await;
        cookies.retain(|cookie| cookie["name"] != MARK);
        cookies
    }

    async fn jar(&self) -> Vec<Value> {
        let jar = json!({ "browserContextId": self.id });
        let mut jar = self.devtools.call("", "Storage.getCookies", jar).await;
        serde_json::from_value(jar["cookies"].take()).unwrap()
    }

    /// Sets a cookie as a script in the page does: another process decides about it, a moment later. When the mark behind
    /// it has arrived, it has decided.
    pub async fn script_sets(&self, tab: &Tab, line: &str) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let mark = LAST.fetch_add(1, Ordering::Relaxed).to_string();
        let script = format!("document.cookie = {line:?}; document.cookie = '{MARK}={mark}; path=/'");
        tab.eval(&script).await;
        let arrived = |cookie: &Value| cookie["name"] == MARK && cookie["value"] == mark;
        until("the mark", async || self.jar().await.iter().any(arrived)).await;
    }

    /// Puts one into it, as only the browser itself can.
    pub async fn set_cookie(&self, name: &str, value: &str) {
        let cookie = json!({ "name": name, "value": value, "url": self.url, "path": "/" });
        let jar = json!({ "browserContextId": self.id, "cookies": [cookie] });
        self.devtools.call("", "Storage.setCookies", jar).await;
    }

    /// The token in the jar.
    pub async fn token(&self) -> Option<String> {
        let cookies = self.cookies().await;
        let cookie = cookies.iter().find(|cookie| cookie["name"] == "id" && cookie["path"] == "/")?;
        Some(cookie["value"].as_str().unwrap().to_owned())
    }
}
