//! Loading: one pipelined round trip.

use std::time::Duration;

use redis::Value;

use super::{
    RedisStore,
    change::shorten_grace,
    codec::{Aftermath, Hash, Session},
};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, ErrorKind, Result},
    id::Address,
    record::{EndReason, Ended},
    store::{End, Finished, GRACE_AFTER_USE, Loaded, SessionStore as _, Touch},
};

/// Longer than any grace: after that the old token is of no interest any more.
const RECENTLY: Duration = Duration::from_secs(60);

/// A renewal leads to a session that may have been renewed since, but not for ever.
const MAX_MOVES: usize = 8;

pub(super) async fn load(store: &RedisStore, at: Address, touch: Touch, idle: Duration) -> Result<Loaded> {
    let mut here = at;
    for _ in 0..MAX_MOVES {
        let (session, now) = fetch(store, here, touch, idle).await?;
        let Some((session, epoch)) = session else {
            match aftermath(store, here).await? {
                Some(Aftermath::Moved { to, until }) => {
                    let successor = Address { reference: to, ..here };
                    if now >= until {
                        return Ok(Loaded::Replayed { successor });
                    }
                    here = successor;
                }
                Some(Aftermath::Ended(ended)) => return Ok(Loaded::Ended(ended)),
                None => return Ok(Loaded::Missing),
            }
            continue;
        };
        let reason = if session.epoch < epoch {
            Some(EndReason::Epoch)
        } else if now >= session.record.deadline {
            Some(EndReason::Absolute)
        } else {
            None
        };
        if let Some(reason) = reason {
            return overdue(store, &session, reason).await;
        }
        let mut record = session.record;
        record.superseded = here != at;
        if let (false, Some((renewed, from))) = (record.superseded, &session.predecessor)
            && now.since(*renewed) < RECENTLY
        {
            shorten_grace(store, here, from, now.plus(GRACE_AFTER_USE)).await?;
        }
        return Ok(Loaded::Found(Box::new(record)));
    }
    Ok(Loaded::Missing)
}

/// `HGETALL session`, `PEXPIRE session idle` (or `PTTL`), `GET epoch`, `TIME`: no script, since a
/// script costs three times the server's time for the same.
async fn fetch(
    store: &RedisStore,
    at: Address,
    touch: Touch,
    idle: Duration,
) -> Result<(Option<(Session, u64)>, Timestamp)> {
    let hash = store.keys.hash(&at.reference);
    let key = store.keys.session(at.shard, &hash);
    let mut pipe = redis::pipe();
    pipe.cmd("HGETALL").arg(&key);
    match touch {
        Touch::Refresh => pipe.cmd("PEXPIRE").arg(&key).arg(millis(idle)),
        Touch::Peek => pipe.cmd("PTTL").arg(&key),
    };
    pipe.cmd("GET").arg(store.keys.epoch(at.shard));
    pipe.cmd("TIME");
    let (hash, ttl, epoch, time): (Value, i64, Option<u64>, (u64, u64)) =
        store.connection.pipeline(&pipe).await?;
    let now = Timestamp::from_millis(time.0 * 1000 + time.1 / 1000);
    let hash =
        Hash::from_value(hash).ok_or_else(|| Error::msg(ErrorKind::Corrupt, "HGETALL answered no hash"))?;
    if hash.is_empty() {
        return Ok((None, now));
    }
    let ttl = match touch {
        Touch::Refresh => idle,
        Touch::Peek => Duration::from_millis(u64::try_from(ttl).unwrap_or(0)),
    };
    let session = hash.into_session(at, now, ttl);
    if session.is_none() {
        // Neither used nor adopted: the visitor goes on without a session.
        tracing::error!(session = %at.reference, "a session that can't be decoded");
    }
    Ok((session.map(|session| (session, epoch.unwrap_or(0))), now))
}

async fn aftermath(store: &RedisStore, at: Address) -> Result<Option<Aftermath>> {
    let key = store.keys.aftermath(at.shard, &store.keys.hash(&at.reference));
    let hash: Value = store.connection.query(redis::cmd("HGETALL").arg(key)).await?;
    Ok(Hash::from_value(hash).and_then(Hash::into_aftermath))
}

/// The session's time is up, though its key is still there.
async fn overdue(store: &RedisStore, session: &Session, reason: EndReason) -> Result<Loaded> {
    let record = &session.record;
    let end = End::overdue(record, reason);
    Ok(match store.end(&end).await? {
        Finished::Ended { at, .. } => {
            Loaded::Ended(Ended { reason, at: Some(at), device: record.device.clone() })
        }
        Finished::Gone(ended) => Loaded::Ended(ended),
        Finished::Moved(_) => Loaded::Missing,
    })
}
