//! What goes on with a session after its response has begun: streams, WebSockets, whatever stays open.

use std::time::Duration;

use super::Session;
use crate::{
    audit::EntryKind,
    error::{Error, ErrorKind, Result},
    events::{EventPosition, Notice, SessionEvents, Watch},
    id::Address,
    record::{EndReason, Ended},
    store::{Loaded, Touch},
};

/// These work on any handle, also long after the response head has left, and leave what the handle holds alone.
impl Session {
    /// What happens to this session from now on, or from behind `since` on; see [`events`](crate::events). Goes
    /// on through renewals, and ends with the session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the store tells no events, [`ErrorKind::Unavailable`] while it can't be
    /// reached, [`ErrorKind::NotLoaded`] where there is no session.
    pub async fn events(&self, since: Option<EventPosition>) -> Result<SessionEvents> {
        let at = self.stored().await?;
        Ok(self.follow(at, since).await?.0)
    }

    /// A subscription to the session as it is called now, and what it is now.
    async fn follow(&self, mut at: Address, since: Option<EventPosition>) -> Result<(SessionEvents, Loaded)> {
        let store = &self.inner.engine.store;
        loop {
            let events = store.subscribe(&Watch::session(at).since(since)).await?;
            // After the subscription, so that nothing falls between. It may have been renewed before.
            match store.load(at, Touch::Peek, Duration::ZERO).await? {
                Loaded::Found(record) if record.address != at => at = record.address,
                now => return Ok((events, now)),
            }
        }
    }

    /// What happens to all sessions of this session's user; otherwise as [`events`](Self::events).
    ///
    /// # Errors
    ///
    /// As [`events`](Self::events), and [`ErrorKind::NotAuthenticated`] where nobody is signed in.
    pub async fn user_events(&self, since: Option<EventPosition>) -> Result<SessionEvents> {
        self.load().await?;
        let user = self.state().record.as_ref().and_then(|record| record.user.clone());
        let Some(user) = user else {
            return Err(Error::msg(
                ErrorKind::NotAuthenticated,
                "nobody is signed in whose events these were",
            ));
        };
        self.inner.engine.store.subscribe(&Watch::user(user).since(since)).await
    }

    /// Counts as a request: the idle timeout starts again. For a stream that a person is looking at; once a
    /// minute is plenty, since nothing needs it at every message. False if the session is over. One round trip.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] while the store can't be reached.
    pub async fn touch(&self) -> Result<bool> {
        let Ok(at) = self.stored().await else { return Ok(false) };
        let engine = &self.inner.engine;
        let idle = engine.settings.idle(at.class);
        Ok(matches!(engine.store.load(at, Touch::Refresh, idle).await?, Loaded::Found(_)))
    }

    /// Waits until the session is over, and says why. Select on it beside whatever a stream or a WebSocket does,
    /// and close when it answers: within a moment where the store tells events, whichever instance ended the
    /// session and for whatever reason.
    ///
    /// An event is only ever a reason to look, so nobody can close a stream by forging one. And it looks without
    /// one too, [every 15 seconds](crate::manager::SessionConfig::with_recheck) by default, so that a stream is
    /// closed where events are off, where Pub/Sub is lost, and where a timeout ends the session, which nobody
    /// tells. Looking does not keep the session alive. While the store can't be reached it goes on waiting.
    ///
    /// ```no_run
    /// # use cloakroom::session::Session;
    /// # async fn next_message() -> String { String::new() }
    /// # async fn send(_: String) {}
    /// async fn stream(session: Session) {
    ///     let session = session.detach();
    ///     let ended = session.until_ended();
    ///     tokio::pin!(ended);
    ///     loop {
    ///         tokio::select! {
    ///             ended = &mut ended => return send(format!("you were signed out: {}", ended.reason)).await,
    ///             message = next_message() => send(message).await,
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn until_ended(&self) -> Ended {
        let engine = &self.inner.engine;
        let mut events = None;
        let (mut at, mut alive) = (self.stored().await.ok(), false);
        loop {
            let Some(place) = at else {
                return self.ended().unwrap_or(Ended::UNKNOWN);
            };
            let now = match &events {
                Some(_) => engine.store.load(place, Touch::Peek, Duration::ZERO).await,
                None => match self.follow(place, None).await {
                    Ok((subscription, now)) => {
                        events = Some(subscription);
                        Ok(now)
                    }
                    Err(_) => engine.store.load(place, Touch::Peek, Duration::ZERO).await,
                },
            };
            match now {
                Ok(Loaded::Found(record)) => (at, alive) = (Some(record.address), true),
                Ok(Loaded::Ended(ended)) => return ended,
                Ok(Loaded::Replayed { .. }) => {
                    return Ended { reason: EndReason::Replayed, at: None, device: None };
                }
                // It was there, and nobody ended it: its idle timeout did, and Redis removed it.
                Ok(Loaded::Missing) if alive => {
                    return Ended { reason: EndReason::Idle, at: None, device: None };
                }
                Ok(Loaded::Missing) => return Ended::UNKNOWN,
                // An outage is no end.
                Err(_) => {}
            }
            let again = tokio::time::sleep(engine.settings.recheck);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    () = &mut again => break,
                    notice = next(&mut events) => match notice {
                        Some(Notice::Event(event)) if !matters(event.kind) => {}
                        Some(_) => break,
                        None => {
                            // The subscription is over. Another one, but not in a hurry.
                            events = None;
                        }
                    }
                }
            }
        }
    }

    async fn stored(&self) -> Result<Address> {
        self.load().await?;
        let at = self.state().record.as_ref().map(|record| record.address);
        at.ok_or_else(|| Error::msg(ErrorKind::NotLoaded, "there is no session whose events these were"))
    }
}

/// Whether an event may mean that the session is over, or elsewhere.
fn matters(kind: EntryKind) -> bool {
    !matches!(kind, EntryKind::Changed | EntryKind::Created | EntryKind::SignedIn)
}

async fn next(events: &mut Option<SessionEvents>) -> Option<Notice> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}
