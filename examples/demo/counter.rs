//! Around the session layer: measures each request, and completes the page once its session is committed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use cloakroom::{
    id::{EventId, SessionRef},
    manager::Refusal,
    session::Session,
};

use crate::{
    Shop,
    costs::Cost,
    page::{self, Page},
};

/// Of every response.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
];

/// A trace begins here. The trail tells its id, and so a row can be found from a log line, and back.
pub(crate) struct Trace {
    pub(crate) id: String,
    /// The `traceparent` header.
    pub(crate) parent: String,
}

impl Trace {
    pub(crate) fn begin() -> Self {
        let id = EventId::new().as_uuid().simple().to_string();
        let parent = format!("00-{id}-{}-01", id.get(16..).unwrap_or_default());
        Self { id, parent }
    }
}

/// What a request was, and what the shop made of it.
pub(crate) struct Done<'a> {
    /// A page that can't be shown asks again by itself; a form is not sent again unasked.
    pub(crate) is_get: bool,
    pub(crate) accept: Option<&'a [u8]>,
    pub(crate) page: Option<Page>,
    pub(crate) changed: Option<&'a Session>,
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) cost: Cost,
}

/// What to put into the response.
pub(crate) struct Completed {
    /// In the place of the body.
    pub(crate) html: Option<String>,
    /// `Server-Timing`: shown by a browser's network tab, and by `curl -i`.
    pub(crate) timing: Option<String>,
}

impl Shop {
    pub(crate) fn complete(&self, done: Done<'_>) -> Completed {
        let Done { is_get, accept, page, changed, refusal, cost } = done;
        if let Some(session) = changed.and_then(Session::reference) {
            self.last_changes.note(session, cost);
        }
        let browser = accept.is_some_and(|accept| String::from_utf8_lossy(accept).contains("text/html"));
        let html = match (page, refusal) {
            (Some(page), _) => {
                let before = page.session().reference().and_then(|session| self.last_changes.of(session));
                Some(page.render(self.store.name(), self.store.is_remote(), cost, before))
            }
            (None, Some(refusal)) if browser => Some(page::refusal(&refusal.to_string(), is_get)),
            _ => None,
        };
        Completed { html, timing: self.store.is_remote().then(|| format!("redis;desc=\"{cost}\"")) }
    }
}

/// What the last change of some sessions has cost: the newest of them, since it is for one line of a page.
#[derive(Clone, Default)]
pub(crate) struct LastChanges(Arc<Mutex<VecDeque<(SessionRef, Cost)>>>);

impl LastChanges {
    const KEPT: usize = 256;

    fn note(&self, session: SessionRef, cost: Cost) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(other, _)| *other != session);
        list.push_back((session, cost));
        if list.len() > Self::KEPT {
            list.pop_front();
        }
    }

    fn of(&self, session: SessionRef) -> Option<Cost> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|(other, _)| *other == session).map(|(_, cost)| *cost)
    }
}
