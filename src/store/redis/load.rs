//! Loading: one pipelined round trip.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use super::{
    RedisStore,
    change::shorten_grace,
    codec::{Aftermath, Remembered, Session, Values, number},
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

/// What `PTTL` says of a key that lives for ever.
const NO_END: i64 = -1;

/// A renewal leads to a session that may have been renewed since, but not for ever.
const MAX_MOVES: usize = 8;

pub(super) async fn load(store: &RedisStore, at: Address, touch: Touch, idle: Duration) -> Result<Loaded> {
    let mut here = at;
    for _ in 0..MAX_MOVES {
        let Some((session, epoch, now)) = fetch(store, here, touch, idle).await? else {
            // What is rare is kept apart, here and below: the future of a load is made for every request.
            let (aftermath, now) = Box::pin(aftermath(store, here)).await?;
            match aftermath {
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
            return Box::pin(overdue(store, &session, reason)).await;
        }
        let mut record = session.record;
        record.superseded = here != at;
        if let (false, Some((renewed, from))) = (record.superseded, &session.predecessor)
            && now.since(*renewed) < RECENTLY
        {
            Box::pin(shorten_grace(store, here, from, now.plus(GRACE_AFTER_USE))).await?;
        }
        return Ok(Loaded::Found(record));
    }
    Ok(Loaded::Missing)
}

/// A session and its shard's epoch, and Redis' clock when they were read. Nothing where there is none, or none that
/// can be decoded.
///
/// `HVALS session`, `PEXPIRE session idle` (or `PTTL`), `PEXPIRETIME session`, `GET epoch`: no script, since a script
/// costs three times the server's time for the same. What the clock says follows from when the session expires and
/// how long that is from now: one number to parse, where `TIME` answers an array.
async fn fetch(
    store: &RedisStore,
    at: Address,
    touch: Touch,
    idle: Duration,
) -> Result<Option<(Session, u64, Timestamp)>> {
    let pipe = question(store, at, touch, idle);
    let replies = store.connection.replies(&pipe).await?;
    let (values, left, ends, epoch) = told(replies)
        .ok_or_else(|| Error::msg(ErrorKind::Corrupt, "a load was answered by something else"))?;
    if values.is_empty() {
        return Ok(None);
    }
    let (left, ends) = match (touch, u64::try_from(left), u64::try_from(ends)) {
        // It set the time: 1, or 0 where the key ran out between the commands.
        (Touch::Refresh, Ok(1), Ok(ends)) => (millis(idle), ends),
        (Touch::Peek, Ok(left), Ok(ends)) => (left, ends),
        // Somebody took its end away: it gets one again.
        (Touch::Peek, ..) if left == NO_END => {
            return Box::pin(fetch(store, at, Touch::Refresh, idle)).await;
        }
        _ => return Ok(None),
    };
    let now = Timestamp::from_millis(ends.saturating_sub(left));
    let session = values.into_session(at, now, Duration::from_millis(left));
    if session.is_none() {
        // Neither used nor adopted: the visitor goes on without a session.
        tracing::error!(session = %at.reference, "a session that can't be decoded");
    }
    Ok(session.map(|session| (session, epoch, now)))
}

/// What the four commands answered.
fn told(replies: Vec<Value>) -> Option<(Values, i64, i64, u64)> {
    let [values, Value::Int(left), Value::Int(ends), epoch] = <[Value; 4]>::try_from(replies).ok()? else {
        return None;
    };
    let epoch = match epoch {
        Value::Nil => 0,
        Value::BulkString(epoch) => number(&epoch)?,
        _ => return None,
    };
    Some((Values::from_value(values)?, left, ends, epoch))
}

/// Nothing but this lives while Redis is at work.
fn question(store: &RedisStore, at: Address, touch: Touch, idle: Duration) -> Pipeline {
    let key = store.keys.session_at(at);
    let mut pipe = Pipeline::with_capacity(4);
    pipe.add_command(keyed("HVALS", &key));
    match touch {
        Touch::Refresh => {
            let mut expire = keyed("PEXPIRE", &key);
            expire.arg(millis(idle));
            pipe.add_command(expire)
        }
        Touch::Peek => pipe.add_command(keyed("PTTL", &key)),
    };
    pipe.add_command(keyed("PEXPIRETIME", &key));
    pipe.add_command(keyed("GET", store.keys.epoch(at.shard)));
    pipe
}

/// A command in one piece of memory, which need not grow.
fn keyed(name: &str, key: &str) -> Cmd {
    const NUMBER: usize = 20;
    let mut command = Cmd::with_capacity(3, name.len() + key.len() + NUMBER);
    command.arg(name).arg(key);
    command
}

/// What became of a session that is not there, and Redis' clock.
async fn aftermath(store: &RedisStore, at: Address) -> Result<(Option<Aftermath>, Timestamp)> {
    let mut pipe = redis::pipe();
    pipe.cmd("HGETALL").arg(store.keys.aftermath(at.shard, &store.keys.hash(&at.reference)));
    pipe.cmd("TIME");
    let (hash, time): (Value, (u64, u64)) = store.connection.pipeline(&pipe).await?;
    let now = Timestamp::from_millis(time.0 * 1000 + time.1 / 1000);
    Ok((Remembered::from_value(hash).and_then(|hash| hash.aftermath()), now))
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
