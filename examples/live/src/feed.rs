//! What an open connection says, line by line, whichever way it is carried.

use std::{pin::Pin, sync::Arc};

use cloakroom::{
    error::Error,
    events::{EventPosition, Notice, SessionEvent, SessionEvents},
    record::Ended,
    session::Session,
};
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::Live;

/// One line.
#[derive(Clone, Debug)]
pub enum Line {
    /// Something happened.
    Event(Arc<SessionEvent>),
    /// The page has to load what it shows: it has only just come, or something was missed.
    Look,
    /// Nothing to say; what can't be sent any more is noticed by it.
    Beat,
    /// The session is over. The last line.
    Ended(Ended),
}

/// What one connection hears.
pub struct Feed {
    session: Session,
    events: Option<SessionEvents>,
    ended: Pin<Box<dyn Future<Output = Ended> + Send>>,
    beat: Interval,
    look: bool,
}

impl Feed {
    /// For a session with somebody signed in, from behind the event whose id the page had last.
    pub async fn open(session: &Session, last: Option<&str>, live: &Live) -> Result<Self, Error> {
        // The request is answered as soon as the stream begins; this handle goes on without it.
        let session = session.detach();
        let since = last.and_then(|last| last.parse::<EventPosition>().ok());
        let events = session.user_events(since).await?;
        let waiting = session.clone();
        let mut beat = interval_at(tokio::time::Instant::now() + live.beat, live.beat);
        // After an outage one beat is as good as many.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            events: Some(events),
            ended: Box::pin(async move { waiting.until_ended().await }),
            beat,
            // Without a position nobody knows what was missed before.
            look: since.is_none(),
            session,
        })
    }

    /// The next line; `None` behind the last. Dropping this loses nothing.
    pub async fn next(&mut self) -> Option<Line> {
        let events = self.events.as_mut()?;
        if std::mem::take(&mut self.look) {
            return Some(Line::Look);
        }
        let line = tokio::select! {
            // What is over says nothing more.
            biased;
            ended = &mut self.ended => Line::Ended(ended),
            notice = events.next() => match notice {
                Some(Notice::Event(event)) => Line::Event(event),
                Some(_) => Line::Look,
                // The store is gone. The page comes back, and is told by whoever is there then.
                None => return None,
            },
            _ = self.beat.tick() => Line::Beat,
        };
        if let Line::Ended(_) = line {
            self.events = None;
        }
        Some(line)
    }

    /// Somebody is there: the idle timeout starts again. Here, and not at every message, since each costs a round
    /// trip. While the store can't be reached, the next beat is as good; an end is told by [`next`](Self::next).
    pub async fn keep_alive(&mut self) {
        let _ = self.session.touch().await;
    }
}

impl Line {
    /// As an event of a stream; the id is what the browser brings back as `Last-Event-ID`.
    pub fn to_sse(&self) -> String {
        match self {
            Self::Event(event) => format!("id: {}\nevent: change\ndata: {}\n\n", event.position, told(event)),
            Self::Look => "event: look\ndata\n\n".to_owned(),
            // A comment.
            Self::Beat => ":\n\n".to_owned(),
            Self::Ended(ended) => format!("event: ended\ndata: {}\n\n", ended.reason),
        }
    }

    /// As a message of a WebSocket, where it is one.
    pub fn to_message(&self) -> Option<String> {
        match self {
            Self::Event(event) => {
                Some(json!({ "id": event.position.to_string(), "change": told(event) }).to_string())
            }
            Self::Look => Some(json!({ "look": true }).to_string()),
            Self::Beat | Self::Ended(_) => None,
        }
    }
}

fn told(event: &SessionEvent) -> Value {
    json!({ "kind": event.kind.to_string(), "version": event.version.get(), "keys": event.keys })
}
