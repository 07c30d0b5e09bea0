//! One tab, used as a person uses it: by pages, clicks and keys.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    BOUND,
    devtools::{DevTools, Event},
};

pub struct Tab {
    devtools: DevTools,
    session: String,
    url: String,
}

impl Tab {
    pub fn new(devtools: DevTools, session: String, url: String) -> Self {
        Self { devtools, session, url }
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.devtools.call(&self.session, method, params).await
    }

    /// Shows a page of the shop, as if its address were typed. Done when everything on it is loaded.
    pub async fn go(&self, path: &str) {
        self.visit(&format!("{}{path}", self.url)).await;
    }

    /// Anybody's page.
    pub async fn visit(&self, url: &str) {
        let since = self.devtools.now();
        let page = self.call("Page.navigate", json!({ "url": url })).await;
        assert_eq!(page["errorText"], Value::Null, "{url}");
        self.loaded(since, page["loaderId"].as_str().unwrap()).await;
    }

    /// Clicks what leads to another page, and waits for that.
    pub async fn follow(&self, selector: &str) {
        let since = self.devtools.now();
        self.click(selector).await;
        let begun = |event: &Event| event.method == "Page.frameNavigated";
        let page = self.devtools.wait(&self.session, since, selector, begun).await;
        self.loaded(since, page.params["frame"]["loaderId"].as_str().unwrap()).await;
    }

    /// By the name of the load: another page may have been on its way before.
    async fn loaded(&self, since: usize, loader: &str) {
        let loaded = |event: &Event| {
            event.method == "Page.lifecycleEvent"
                && event.params["name"] == "load"
                && event.params["loaderId"] == loader
        };
        self.devtools.wait(&self.session, since, "the page", loaded).await;
    }

    /// It must be there, in sight, and nothing in front of it. In one step with that: on a page that is brought up to
    /// date under the mouse, what was looked at may be gone when the button is pressed.
    pub async fn click(&self, selector: &str) {
        let script = format!(
            "(() => {{
                const all = document.querySelectorAll({selector:?});
                if (all.length !== 1) return `${{all.length}} of them`;
                all[0].scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = all[0].getBoundingClientRect();
                const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                if (!all[0].contains(hit)) return `hidden by ${{hit?.outerHTML}}`;
                all[0].focus();
                all[0].click();
                return 'clicked';
            }})()"
        );
        assert_eq!(self.leave(&script).await.unwrap_or("clicked".into()), "clicked", "{selector}");
    }

    /// By the button beside the address.
    pub async fn back(&self) {
        self.leave("history.back()").await;
    }

    /// Runs what may lead to another page, and then there may be nobody left to answer.
    async fn leave(&self, script: &str) -> Option<Value> {
        match self.try_eval(script).await {
            Err(error) if error.contains("Inspected target navigated") => None,
            answer => Some(answer.unwrap()),
        }
    }

    /// Types into a field.
    pub async fn enter(&self, selector: &str, text: &str) {
        self.click(selector).await;
        self.call("Input.insertText", json!({ "text": text })).await;
        assert_eq!(self.eval(&format!("document.querySelector({selector:?}).value")).await, text);
    }

    /// What an expression is worth in the page; a promise is waited for.
    pub async fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let mut answer = self.devtools.try_call(&self.session, "Runtime.evaluate", params).await?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].take()),
            thrown => Err(thrown.to_string()),
        }
    }

    /// Waits until an expression is true. Where the page is about to be another, it is not.
    pub async fn sees(&self, expression: &str) {
        let look = async {
            while self.try_eval(expression).await != Ok(Value::Bool(true)) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(BOUND, look).await.is_err() {
            let page = self.try_eval("`${location.href}\\n${document.body.innerText}`").await;
            panic!("still not: {expression}\n{page:?}");
        }
    }

    /// What is to be read on the page.
    pub async fn text(&self) -> String {
        self.eval("document.body.innerText").await.as_str().unwrap().to_owned()
    }

    /// Why cookies stayed behind when this tab asked for its pages.
    pub fn blocked_cookies(&self) -> Vec<String> {
        let sent = self.devtools.events(&self.session, 0).into_iter();
        let sent = sent.filter(|event| event.method == "Network.requestWillBeSentExtraInfo");
        let cookies = sent.flat_map(|event| event.params["associatedCookies"].as_array().unwrap().clone());
        let reasons = cookies.flat_map(|cookie| cookie["blockedReasons"].as_array().unwrap().clone());
        reasons.map(|reason| reason.as_str().unwrap().to_owned()).collect()
    }

    /// The notice that says why a session is over.
    pub async fn why(&self) -> String {
        let why = self.eval("document.getElementById('why').innerText").await;
        why.as_str().unwrap().to_owned()
    }

    /// `/session.json`, as this tab's cookies get it.
    pub async fn session(&self) -> Value {
        self.eval("fetch('/session.json').then((answer) => answer.json())").await
    }
}
