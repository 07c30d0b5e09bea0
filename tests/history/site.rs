//! Two instances, a few browsers, many tasks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cloakroom::store::{RedisStore, SessionStore as _};
use redis::Commands as _;

use crate::{
    app::{Act, App, Meanwhile, reference},
    evidence::{Entry, Evidence, Lifetime, key_hash},
    history::{Browser, History},
    meta::set_deadline,
};

/// The fields of an audit entry: `v` version, `p` predecessor, `e` payload, and what others may add.
type Line = HashMap<String, Vec<u8>>;

const NAMESPACE: &str = "history";
const IDLE: i64 = 3_600_000;
/// These tests are about answers, not about time.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    apps: [App; 2],
    pub history: History,
    pub browsers: Vec<Browser>,
    /// Past the proxy, if there is one.
    redis: redis::Client,
    pub lifetimes: Vec<Lifetime>,
    pub overdue: Vec<(String, u64)>,
}

impl Site {
    /// Two instances that reach Redis at `url`; what the test itself does goes to `direct`.
    pub async fn open(url: &str, direct: &str) -> Self {
        let mut apps = Vec::new();
        for _ in 0..2 {
            let builder = RedisStore::builder(url).namespace(NAMESPACE).audit(true).timeout(PATIENCE);
            let store = builder.build().unwrap();
            store.ready().await.unwrap();
            apps.push(App::new(store));
        }
        Self {
            apps: apps.try_into().ok().unwrap(),
            history: History::default(),
            browsers: (0..4).map(|_| Browser::default()).collect(),
            redis: redis::Client::open(direct).unwrap(),
            lifetimes: Vec::new(),
            overdue: Vec::new(),
        }
    }

    /// Lets a task loose that makes so many requests which are answered, and no more than ten times as many.
    pub fn rush(&self, seed: u64, requests: usize) -> tokio::task::JoinHandle<()> {
        let (apps, history, browsers) = (self.apps.clone(), self.history.clone(), self.browsers.clone());
        tokio::spawn(async move {
            let mut random = Random(seed + 1);
            let mut answered = 0;
            for _ in 0..10 * requests {
                if answered == requests {
                    return;
                }
                let browser = &browsers[random.below(browsers.len())];
                let (app, other) = (&apps[random.below(2)], apps[random.below(2)].clone());
                let (act, inner, had) = (random.act(), random.act(), browser.had());
                let token = match random.below(10) {
                    0 if !had.is_empty() => Some(had[random.below(had.len())].clone()),
                    _ => browser.cookie(),
                };
                // A whole request within this one makes the overlaps that matter happen on any machine.
                let meanwhile = (random.below(3) == 0).then(|| {
                    let (history, browser, token) = (history.clone(), browser.clone(), token.clone());
                    within(move || {
                        let (history, other) = (history.clone(), other.clone());
                        let (browser, token) = (browser.clone(), token.clone());
                        async move { drop(history.visit(&other, &browser, token, inner, None).await) }
                    })
                });
                let event = history.visit(app, browser, token, act, meanwhile).await;
                answered += usize::from(event.status != 503);
            }
        })
    }

    /// One request of a browser with its cookie.
    pub async fn visit(
        &self,
        browser: &Browser,
        act: Act,
        meanwhile: Option<Meanwhile>,
    ) -> crate::history::Event {
        self.history.visit(&self.apps[0], browser, browser.cookie(), act, meanwhile).await
    }

    /// The same pair of requests on every shape of overlap that a script must decide.
    pub async fn overlaps(&self) {
        let acts = [Act::Set("a"), Act::ReadSet("a"), Act::Add, Act::Renew, Act::Login, Act::Logout];
        for outer in acts {
            for inner in acts {
                let browser = Browser::default();
                self.visit(&browser, Act::Set("b"), None).await;
                let (history, app) = (self.history.clone(), self.apps[1].clone());
                let (visitor, token) = (browser.clone(), browser.cookie());
                let meanwhile = within(move || {
                    let (history, app) = (history.clone(), app.clone());
                    let (visitor, token) = (visitor.clone(), token.clone());
                    async move { drop(history.visit(&app, &visitor, token, inner, None).await) }
                });
                self.visit(&browser, outer, Some(meanwhile)).await;
                for token in browser.had() {
                    self.history.visit(&self.apps[1], &browser, Some(token), Act::Look, None).await;
                }
                let old = browser.had().remove(0);
                for act in [Act::Set("c"), Act::Renew, Act::Login] {
                    self.history.visit(&self.apps[1], &browser, Some(old.clone()), act, None).await;
                }
            }
        }
    }

    /// What TTLs must be, and what must not happen past a deadline.
    pub async fn lifetimes(&mut self) {
        let browser = Browser::default();
        self.visit(&browser, Act::Set("a"), None).await;
        self.measure("a session that was just made", &browser, 0);
        let key = self.key(&browser);
        let soon = self.meddle("PEXPIRE", &[&key, "60000"]);
        self.visit(&browser, Act::Set("a"), Some(soon)).await;
        self.measure("a commit restarts the idle time", &browser, 60_000);
        let soon = self.meddle("PEXPIRE", &[&key, "60000"]);
        let (history, app, visitor) = (self.history.clone(), self.apps[1].clone(), browser.clone());
        let after_another = within(move || {
            let (history, app, visitor) = (history.clone(), app.clone(), visitor.clone());
            let soon = Arc::clone(&soon);
            async move {
                drop(history.visit(&app, &visitor, visitor.cookie(), Act::Set("b"), None).await);
                soon().await;
            }
        });
        self.visit(&browser, Act::Set("a"), Some(after_another)).await;
        self.measure("a commit that follows another restarts the idle time", &browser, 60_000);
        self.command("PEXPIRE", &[&key, "60000"]);
        self.visit(&browser, Act::Look, None).await;
        self.measure("a load restarts the idle time", &browser, 60_000);

        let late = self.meddle("EVAL", &set_deadline(&key, "1000")[1..]);
        self.end_under_way(&browser, late).await;
        // And one that was loaded with the deadline that passes.
        let browser = Browser::default();
        self.visit(&browser, Act::Set("a"), None).await;
        let deadline = (now(&self.redis) + 400).to_string();
        self.command("EVAL", &set_deadline(&self.key(&browser), &deadline)[1..]);
        let client = self.redis.clone();
        let late = within(move || {
            let (client, deadline) = (client.clone(), deadline.parse().unwrap());
            async move {
                while now(&client) < deadline {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        self.end_under_way(&browser, late).await;
    }

    /// A request that writes, and during which the session's time is up by `late`; and two that come later.
    async fn end_under_way(&mut self, browser: &Browser, late: Meanwhile) {
        let at = self.history.clock.clone();
        let moment = Arc::new(std::sync::OnceLock::new());
        let noted = Arc::clone(&moment);
        let late = within(move || {
            let (late, at, noted) = (Arc::clone(&late), at.clone(), Arc::clone(&noted));
            async move {
                late().await;
                let _ = noted.set(at.tick());
            }
        });
        let token = browser.cookie().unwrap();
        self.visit(browser, Act::Set("a"), Some(late)).await;
        self.overdue.push((reference(&token), *moment.get().unwrap()));
        for act in [Act::Look, Act::Set("a")] {
            self.history.visit(&self.apps[1], browser, Some(token.clone()), act, None).await;
        }
    }

    fn measure(&mut self, of: &str, browser: &Browser, above: i64) {
        let ttl = self.connection().pttl(self.key(browser)).unwrap();
        self.lifetimes.push(Lifetime { of: of.to_owned(), ttl, above, most: IDLE });
    }

    /// The keys' hash tag is the shard's, so it is looked up.
    fn key(&self, browser: &Browser) -> String {
        let hash = key_hash(&reference(&browser.cookie().expect("a browser with a session")));
        let keys: Vec<String> = self.connection().keys(format!("{NAMESPACE}:*:s:{hash}")).unwrap();
        keys.into_iter().next().unwrap_or_else(|| format!("no session under {hash}"))
    }

    fn command(&self, name: &str, arguments: &[&str]) {
        redis::cmd(name).arg(arguments).query::<redis::Value>(&mut self.connection()).unwrap();
    }

    fn meddle(&self, name: &'static str, arguments: &[&str]) -> Meanwhile {
        let client = self.redis.clone();
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        within(move || {
            let mut connection = client.get_connection().unwrap();
            redis::cmd(name).arg(&arguments).query::<redis::Value>(&mut connection).unwrap();
            std::future::ready(())
        })
    }

    fn connection(&self) -> redis::Connection {
        self.redis.get_connection().unwrap()
    }

    /// Everything that is left when nothing is under way any more. Each live session is looked at once more,
    /// with every token that leads anywhere.
    pub async fn close(mut self) -> Evidence {
        let keys: Vec<String> = self.connection().keys(format!("{NAMESPACE}:*:s:*")).unwrap();
        for key in &keys {
            let ttl = self.connection().pttl(key).unwrap();
            self.lifetimes.push(Lifetime { of: key.clone(), ttl, above: 0, most: IDLE });
        }
        for browser in self.browsers.clone() {
            for token in browser.had() {
                self.history.visit(&self.apps[0], &browser, Some(token), Act::Look, None).await;
            }
        }
        let stored: Vec<String> = self.connection().keys(format!("{NAMESPACE}:*:s:*")).unwrap();
        Evidence {
            events: self.history.events(),
            trail: self.trail(),
            stored: stored.iter().map(|key| key.rsplit(':').next().unwrap().to_owned()).collect(),
            lifetimes: self.lifetimes,
            overdue: self.overdue,
        }
    }

    fn trail(&self) -> Vec<Entry> {
        let mut connection = self.connection();
        let streams: Vec<String> = connection.keys(format!("{NAMESPACE}:*:audit")).unwrap();
        let mut trail = Vec::new();
        for stream in streams {
            let entries: Vec<(String, Line)> =
                redis::cmd("XRANGE").arg(stream).arg("-").arg("+").query(&mut connection).unwrap();
            trail.extend(entries.into_iter().map(|(_, line)| Entry {
                version: std::str::from_utf8(&line["v"]).unwrap().parse().unwrap(),
                predecessor: uuid::Uuid::from_slice(&line["p"]).unwrap().to_string(),
                payload: serde_json::from_slice(&line["e"]).unwrap(),
            }));
        }
        trail
    }
}

/// Redis' clock, in milliseconds.
fn now(client: &redis::Client) -> u64 {
    let (seconds, micros): (u64, u64) =
        redis::cmd("TIME").query(&mut client.get_connection().unwrap()).unwrap();
    seconds * 1000 + micros / 1000
}

fn within<F: Future<Output = ()> + Send + 'static>(run: impl Fn() -> F + Send + Sync + 'static) -> Meanwhile {
    Arc::new(move || Box::pin(run()))
}

/// Xorshift: the same requests in every run, as far as the scheduler lets them.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << shift } else { self.0 >> shift };
        }
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn act(&mut self) -> Act {
        let keys = ["a", "b", "c"];
        match self.below(20) {
            0..=4 => Act::Look,
            5..=8 => Act::Set(keys[self.below(3)]),
            9..=12 => Act::ReadSet(keys[self.below(3)]),
            13..=16 => Act::Add,
            17 => Act::Renew,
            18 => Act::Login,
            _ => Act::Logout,
        }
    }
}
