//! A visitor with a cookie jar.

use std::sync::Arc;

use http::{StatusCode, header};
use reqwest::{
    Client, Response, Url,
    cookie::{CookieStore as _, Jar},
    redirect::Policy,
};
use serde_json::Value;

use crate::process::Demo;

pub struct Browser {
    client: Client,
    jar: Arc<Jar>,
    url: String,
}

impl Browser {
    pub fn at(demo: &Demo) -> Self {
        let jar = Arc::new(Jar::default());
        let client = Client::builder().cookie_provider(Arc::clone(&jar)).redirect(Policy::none()).no_proxy();
        Self { client: client.build().unwrap(), jar, url: demo.url.clone() }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.at_path(path)).header(header::ACCEPT, "text/html").send().await.unwrap()
    }

    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.client.post(self.at_path(path)).form(form).send().await.unwrap()
    }

    /// A form with a header that only a browser could set.
    pub async fn post_with(&self, path: &str, form: &[(&str, &str)], header: (&str, &str)) -> Response {
        self.client.post(self.at_path(path)).form(form).header(header.0, header.1).send().await.unwrap()
    }

    /// The stream of events, from behind `last_seen` on.
    pub async fn feed(&self, last_seen: Option<&str>) -> Feed {
        let mut request = self.client.get(self.at_path("/account/events"));
        if let Some(id) = last_seen {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Feed { response, text: String::new() }
    }

    /// Sends a form, which must be accepted.
    pub async fn submit(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let response = self.post(path, form).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        response
    }

    pub async fn add(&self, item: &str) {
        self.submit("/cart/add", &[("item", item)]).await;
    }

    pub async fn sign_in(&self, name: &str) {
        self.submit("/sign-in", &[("name", name)]).await;
    }

    /// `/session.json`.
    pub async fn session(&self) -> Value {
        let response = self.get("/session.json").await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// The token in the jar.
    pub fn token(&self) -> Option<String> {
        let cookies = self.jar.cookies(&Url::parse(&self.url).unwrap())?;
        Some(cookies.to_str().unwrap().strip_prefix("id=").unwrap().to_owned())
    }

    /// Puts a token back that was removed or replaced, as a thief would.
    pub fn present(&self, token: &str) {
        self.jar.add_cookie_str(&format!("id={token}; Path=/"), &Url::parse(&self.url).unwrap());
    }

    fn at_path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// An open stream.
pub struct Feed {
    response: Response,
    text: String,
}

impl Feed {
    /// The next message that holds `wanted`, as its lines; `None` at the end of the stream.
    pub async fn message(&mut self, wanted: &str) -> Option<String> {
        tokio::time::timeout(crate::BOUND, self.find(wanted)).await.unwrap_or_else(|_| panic!("no {wanted}"))
    }

    async fn find(&mut self, wanted: &str) -> Option<String> {
        loop {
            while let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                if message.contains(wanted) {
                    return Some(message);
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
