//! What happens to a visitor's sessions, as server-sent events while it happens.

use std::{pin::Pin, time::Duration};

use cloakroom::{
    error::{Error, ErrorKind},
    events::{EventPosition, Notice, SessionEvent, SessionEvents},
    id::SessionRef,
    record::Ended,
    session::Session,
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::why;

/// One message of the stream.
pub(crate) struct Frame {
    pub(crate) event: &'static str,
    /// What a browser brings back as `Last-Event-ID`.
    pub(crate) id: Option<String>,
    /// JSON, so without a line break: one `data:` line.
    pub(crate) data: String,
}

impl Frame {
    fn new(event: &'static str, data: &serde_json::Value) -> Self {
        Self { event, id: None, data: data.to_string() }
    }

    /// As it goes over the wire, for a framework that has no words of its own for it.
    pub(crate) fn to_text(&self) -> String {
        let id = self.id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("event: {}\n{id}data: {}\n\n", self.event, self.data)
    }
}

/// Somebody is looking, though no request comes.
const TOUCH: Duration = Duration::from_secs(60);

/// A proxy that hears nothing for a minute hangs up; and a browser that has left is noticed by writing.
const PING: Duration = Duration::from_secs(15);

/// An open stream. Dropping it ends it.
struct Feed {
    session: Session,
    own: Option<SessionRef>,
    events: SessionEvents,
    ended: Pin<Box<dyn Future<Output = Ended> + Send>>,
    touch: Interval,
    ping: Interval,
    stop: watch::Receiver<bool>,
    over: bool,
}

/// The stream of a session, from behind `last_seen` on if that is known. `None` where there is nothing to tell of:
/// 204, by which a browser knows not to ask again.
pub(crate) async fn open(
    session: &Session,
    last_seen: Option<&str>,
    stop: watch::Receiver<bool>,
) -> Result<Option<Pin<Box<dyn Stream<Item = Frame> + Send>>>, Error> {
    if let Some(why) = session.ended() {
        return Ok(Some(Box::pin(stream::iter([end(&why)]))));
    }
    // Anybody can send anything. What is no position is none: the page has just been loaded.
    let since: Option<EventPosition> = last_seen.and_then(|text| text.parse().ok());
    let session = session.detach();
    let events =
        if session.user().is_some() { session.user_events(since).await } else { session.events(since).await };
    let events = match events {
        Err(error) if matches!(error.kind(), ErrorKind::NotLoaded | ErrorKind::NotAuthenticated) => {
            return Ok(None);
        }
        events => events?,
    };
    let watched = session.clone();
    let feed = Feed {
        own: session.reference(),
        session,
        events,
        ended: Box::pin(async move { watched.until_ended().await }),
        touch: every(TOUCH),
        ping: every(PING),
        stop,
        over: false,
    };
    Ok(Some(Box::pin(stream::unfold(feed, Feed::next))))
}

impl Feed {
    async fn next(mut self) -> Option<(Frame, Self)> {
        let frame = self.frame().await?;
        Some((frame, self))
    }

    async fn frame(&mut self) -> Option<Frame> {
        while !self.over {
            tokio::select! {
                // First what ended: nothing is told to a session that is over.
                biased;
                ended = &mut self.ended => {
                    self.over = true;
                    return Some(end(&ended));
                }
                // The browser comes back by itself, to whichever instance is there then.
                () = stopped(&mut self.stop) => return None,
                notice = self.events.next() => return match notice? {
                    Notice::Event(event) => Some(tell(&mut self.own, &event)),
                    _ => Some(Frame::new("missed", &json!({}))),
                },
                // An outage is none of the reader's business; the next minute is soon enough.
                _ = self.touch.tick() => { let _ = self.session.touch().await; }
                _ = self.ping.tick() => return Some(Frame::new("ping", &json!({}))),
            }
        }
        None
    }
}

/// `own` goes along where the session moves to a new token.
fn tell(own: &mut Option<SessionRef>, event: &SessionEvent) -> Frame {
    let here = event.session.is_none() || event.session == *own;
    if let (true, Some(successor)) = (here, event.successor) {
        *own = Some(successor);
    }
    let data = json!({
        "kind": event.kind.as_str(),
        "text": why::happened(event, here),
        "here": here,
        "keys": event.keys,
        "at": event.at.as_millis(),
    });
    Frame { id: Some(event.position.to_string()), ..Frame::new("change", &data) }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn end(ended: &Ended) -> Frame {
    Frame::new("ended", &json!({ "reason": ended.reason.as_str(), "text": why::signed_out(ended) }))
}

fn every(span: Duration) -> Interval {
    let mut interval = interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
