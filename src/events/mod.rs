//! What happens to sessions, told to every instance at once.
//!
//! Where a store has events on, each change of a session is told in the script that makes it: an entry in a
//! small log of the shard, and a message over Pub/Sub that rings at once on every instance that watches. The
//! message carries the event, so whoever watches learns of it in one hop; the log carries it too, so what a lost
//! connection swallowed is caught up, in order, when it is back.
//!
//! ```
//! use cloakroom::{events::{Notice, Watch}, store::{MemoryStore, SessionStore}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cloakroom::error::Error> {
//! // In production: `RedisStore::builder("redis://127.0.0.1").events(true).build()?`.
//! let store = MemoryStore::new();
//! let mut events = store.subscribe(&Watch::user("alice")).await?;
//! # drop(store);
//! # if false {
//! while let Some(notice) = events.next().await {
//!     match notice {
//!         Notice::Event(event) => println!("{}: {}", event.kind, event.keys.join(", ")),
//!         Notice::Missed => println!("look again: something was missed"),
//!         _ => {}
//!     }
//! }
//! # }
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! * An event names the session by its [ref](crate::id::SessionRef), the kind, the user, the names of changed
//!   keys and the reason of an end. **No token and no value.** It has a few hundred bytes, whatever was changed.
//! * Of one session, events come in the order in which the changes were made, each once. After a lost connection
//!   what was missed is read from the log. Where that is impossible, since the log holds the last ten thousand
//!   events of a shard or the reader was too slow, [`Notice::Missed`] says so: look at what you hold.
//! * **An event is a hint, never a proof.** Whoever may write to Redis can send one. Take it as a reason to
//!   look, as [`Session::until_ended`](crate::session::Session::until_ended) does; grant nothing by it.
//! * Expiry by itself tells nothing at that moment: nobody is there to notice. It is told when it is found, by a
//!   [`SessionSweeper`](crate::session::SessionSweeper): once, as an end for the reason `idle`, with version 0.
//!
//! # What it costs
//!
//! Two commands in the script of each change (`XADD`, `PUBLISH`), no round trip. An instance has one connection
//! for all that it watches, made at the first subscription, and listens only to the shards that somebody watches.
//! It reads the log of each watched shard every five seconds, so that a message lost on the way is found.

#[cfg(feature = "redis")]
mod cursor;
mod event;
mod queue;
mod watch;

#[cfg(feature = "redis")]
pub(crate) use cursor::{Cursor, News};
pub(crate) use event::Told;
pub use event::{EventPosition, SessionEvent};
#[cfg(feature = "redis")]
pub(crate) use queue::Watcher;
pub(crate) use queue::Watchers;
pub use queue::{Notice, SessionEvents};
pub use watch::Watch;
