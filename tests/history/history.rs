//! What everybody saw, in the order of one counter.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::app::{Act, Answer, App, Ask, Meanwhile, Outcome, Seen};

/// Counts the moments of a run: what has the smaller number was before.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// One request, as its client saw it.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: u64,
    pub act: Act,
    pub called: u64,
    pub returned: u64,
    pub status: u16,
    pub issued: Option<String>,
    pub seen: Seen,
}

/// A browser with several tabs: one cookie, and the tokens that it ever had.
#[derive(Clone, Default)]
pub struct Browser(Arc<Mutex<Jar>>);

#[derive(Default)]
struct Jar {
    cookie: Option<String>,
    had: Vec<String>,
}

impl Browser {
    pub fn cookie(&self) -> Option<String> {
        self.0.lock().unwrap().cookie.clone()
    }

    pub fn had(&self) -> Vec<String> {
        self.0.lock().unwrap().had.clone()
    }

    fn take(&self, answer: &Answer) {
        let mut jar = self.0.lock().unwrap();
        if answer.removed {
            jar.cookie = None;
        }
        if let Some(token) = &answer.issued {
            jar.cookie = Some(token.clone());
            jar.had.push(token.clone());
        }
    }
}

/// Writes down every request that is made through it.
#[derive(Clone, Default)]
pub struct History {
    pub clock: Clock,
    ids: Clock,
    events: Arc<Mutex<Vec<Event>>>,
}

impl History {
    pub async fn visit(
        &self,
        app: &App,
        browser: &Browser,
        token: Option<String>,
        act: Act,
        meanwhile: Option<Meanwhile>,
    ) -> Event {
        let ask = Ask { id: self.ids.tick(), act, meanwhile, clock: self.clock.clone() };
        let (id, called) = (ask.id, self.clock.tick());
        let answer = app.call(token.as_deref(), ask).await;
        let returned = self.clock.tick();
        browser.take(&answer);
        let Answer { status, issued, seen, .. } = answer;
        let event = Event { id, act, called, returned, status, issued, seen };
        self.events.lock().unwrap().push(event.clone());
        event
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// How many requests came to this.
    pub fn count(&self, outcome: impl Fn(Outcome) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| outcome(event.seen.outcome)).count()
    }

    /// How many requests nobody knows the outcome of.
    pub fn unknown(&self) -> usize {
        self.count(|outcome| outcome == Outcome::Unknown)
    }
}
