//! Events from Redis: messages over Pub/Sub on a connection of their own, and the logs that back them.
//!
//! One task serves all subscriptions of a store. It begins with the first and ends with the last.

mod log;
mod ringer;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{mpsc, oneshot};

use self::ringer::Ringer;
use super::{Connection, Keys};
use crate::{
    error::{Error, ErrorKind, Result},
    events::{EventPosition, SessionEvents, Watch, Watcher},
    id::Shard,
};

type Sender = mpsc::UnboundedSender<Subscribe>;

/// Where subscriptions are asked for.
#[derive(Default)]
pub(super) struct Bell(Arc<Mutex<Option<Sender>>>);

/// The same for the task, which must not keep itself alive.
struct Rope(Weak<Mutex<Option<Sender>>>);

/// A subscription to come.
struct Subscribe {
    watchers: Vec<(Shard, Watcher, Option<EventPosition>)>,
    done: oneshot::Sender<Result<()>>,
}

impl Bell {
    /// Answers when everything that happens from now on will be told.
    pub(super) async fn subscribe(
        &self,
        keys: &Keys,
        connection: &Connection,
        watch: &Watch,
    ) -> Result<SessionEvents> {
        let shards = watch.shards(keys.shards());
        let (events, watchers) = SessionEvents::new(watch, shards.len());
        if let Some(first) = watchers.first().filter(|_| watch.is_elsewhere(&shards)) {
            first.missed();
        }
        let watchers = shards.into_iter().zip(watchers);
        let watchers = watchers.map(|(shard, watcher)| (shard, watcher, watch.since_on(shard))).collect();
        let (done, answer) = oneshot::channel();
        self.ask(keys, connection, Subscribe { watchers, done });
        match tokio::time::timeout(connection.timeout(), answer).await {
            Ok(Ok(answer)) => answer.map(|()| events),
            Ok(Err(_)) | Err(_) => {
                let text = format!("Redis took no subscription within {:?}", connection.timeout());
                Err(Error::msg(ErrorKind::Unavailable, text))
            }
        }
    }

    fn ask(&self, keys: &Keys, connection: &Connection, subscribe: Subscribe) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let subscribe = match &*sender {
            Some(sender) => match sender.send(subscribe) {
                Ok(()) => return,
                // The task has ended, maybe together with its runtime.
                Err(refused) => refused.0,
            },
            None => subscribe,
        };
        let (new, requests) = mpsc::unbounded_channel();
        // The receiver is in our hands.
        let _ = new.send(subscribe);
        *sender = Some(new);
        let rope = Rope(Arc::downgrade(&self.0));
        tokio::spawn(Ringer::new(keys.clone(), connection.clone(), requests, rope).run());
    }
}

impl Rope {
    /// Nobody watches any more. Whether the task may end, because nobody has asked meanwhile.
    fn let_go(&self, requests: &mpsc::UnboundedReceiver<Subscribe>) -> bool {
        let Some(sender) = self.0.upgrade() else { return true };
        let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        let last = requests.is_empty();
        if last {
            *sender = None;
        }
        last
    }
}
