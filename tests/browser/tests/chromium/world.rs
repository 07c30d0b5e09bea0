//! A shop and a browser.

use std::sync::OnceLock;

use servers::{Chromium, Postgres, Redis};

use crate::{devtools::DevTools, process::Demo, profile::Profile, tab::Tab, watch::Watch};

pub struct World {
    pub demo: Demo,
    pub redis: Redis,
    pub watch: Watch,
    devtools: DevTools,
    _postgres: Option<Postgres>,
}

impl World {
    /// A shop on a Redis of its own, without a trail.
    pub async fn new(framework: &str) -> Self {
        Self::with(framework, None).await
    }

    pub async fn with_trail() -> Self {
        Self::with("axum", Some(Postgres::start().unwrap())).await
    }

    async fn with(framework: &str, postgres: Option<Postgres>) -> Self {
        let redis = Redis::start().unwrap();
        let (redis_url, postgres_url) = (redis.url(), postgres.as_ref().map(Postgres::url));
        let mut environment =
            vec![("DEMO_FRAMEWORK", framework), ("REDIS_URL", &redis_url), ("RUST_LOG", "warn")];
        environment.push(match &postgres_url {
            Some(url) => ("DATABASE_URL", url),
            None => ("DEMO_TRAIL", "none"),
        });
        let demo = Demo::with(&environment).await;
        let devtools = DevTools::connect(browser()).await;
        Self { demo, redis, watch: Watch::new(&devtools), devtools, _postgres: postgres }
    }

    pub async fn profile(&self) -> Profile {
        Profile::new(&self.devtools, &self.watch, &self.demo.url).await
    }

    /// Another browser, in which somebody signs in and looks at his account.
    pub async fn device(&self, user: &str, device: &str) -> (Profile, Tab) {
        let profile = self.profile().await;
        let tab = profile.open("/account").await;
        sign_in(&tab, user, device).await;
        (profile, tab)
    }
}

/// By the form on the account page.
pub async fn sign_in(tab: &Tab, user: &str, device: &str) {
    tab.enter("#name", user).await;
    tab.enter("#device", device).await;
    tab.follow("#sign-in button").await;
}

/// One for all tests, which have profiles of their own in it. It is a value that nobody drops: its supervisor
/// ends it with this process.
pub fn browser() -> &'static str {
    static BROWSER: OnceLock<Chromium> = OnceLock::new();
    BROWSER.get_or_init(|| Chromium::start().unwrap()).url()
}
