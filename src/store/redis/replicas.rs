//! Waiting for replicas.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::Semaphore,
    time::{Duration, timeout_at},
};

use super::{Connection, RedisStore};
use crate::{
    error::{Error, ErrorKind, Result},
    store::{Confirm, Confirmed},
};

/// Connections of their own: `WAIT` holds up whatever comes behind it on the same one.
#[derive(Clone)]
pub(super) struct Replicas(Arc<Inner>);

struct Inner {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

/// So many wait at a time; the others wait for these. A replica in reach confirms within a millisecond.
const AT_ONCE: usize = 4;

impl Default for Replicas {
    fn default() -> Self {
        Self(Arc::new(Inner { idle: Mutex::default(), permits: Semaphore::new(AT_ONCE) }))
    }
}

const CONFIRM: &str = include_str!("scripts/confirm.lua");

pub(super) async fn confirm(store: &RedisStore, confirm: &Confirm) -> Result<Confirmed> {
    let replicas = &store.replicas.0;
    let deadline = tokio::time::Instant::now() + store.connection.timeout() + confirm.timeout;
    let _permit = match timeout_at(deadline, replicas.permits.acquire()).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) | Err(_) => {
            return Err(Error::msg(ErrorKind::Unavailable, "too many changes wait for replicas"));
        }
    };
    let idle = replicas.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let connection = idle.unwrap_or_else(|| store.connection.apart());
    let answer = ask(store, &connection, confirm).await;
    if answer.is_ok() {
        replicas.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
    answer
}

async fn ask(store: &RedisStore, connection: &Connection, confirm: &Confirm) -> Result<Confirmed> {
    let (keys, at) = (&store.keys, confirm.at);
    let hash = keys.hash(&at.reference);
    let replicas = u64::from(confirm.replicas.get());
    let mut pipe = redis::pipe();
    // The text and no hash of it: a script that must be loaded first would leave `WAIT` alone in the second try.
    pipe.cmd("EVAL")
        .arg(CONFIRM)
        .arg(3)
        .arg(keys.session(at.shard, &hash))
        .arg(keys.aftermath(at.shard, &hash))
        .arg(keys.mark(at.shard))
        .arg(confirm.event.as_bytes());
    // Shorter than the question may take, or else there would be no answer at all.
    let most = store.connection.timeout().saturating_sub(MARGIN);
    let wait = confirm.timeout.min(most).max(Duration::from_millis(1));
    pipe.cmd("WAIT").arg(replicas).arg(crate::clock::millis(wait));
    let (there, count): (u8, u64) = connection.pipeline(&pipe).await?;
    Ok(match (there, count) {
        (0, _) => Confirmed::Lost,
        (_, count) if count >= replicas => Confirmed::Replicated,
        (_, count) => Confirmed::TooFew(count),
    })
}

/// What the question takes besides the waiting.
const MARGIN: Duration = Duration::from_millis(100);
