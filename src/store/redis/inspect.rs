//! Looking at sessions without touching them. See `audit::verify`.

use std::time::Duration;

use redis::Value;

use super::{
    RedisStore,
    codec::{Aftermath, Remembered, Values},
    heads::Heads,
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    id::{Address, EventId},
    record::Record,
};

/// A session can have been renewed many times since somebody knew its address.
const MAX_MOVES: usize = 64;

/// What Redis has of a session.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Neither it nor what became of it.
    Nothing,
    Alive(Box<Alive>),
    /// It ended by this event.
    Ended {
        by: Option<EventId>,
    },
}

/// A session that is there.
#[derive(Debug)]
pub(crate) struct Alive {
    pub(crate) record: Record,
    /// Tails of its last events.
    pub(crate) recent: Vec<u8>,
}

impl RedisStore {
    /// Looks for the session at `at`, and follows its renewals.
    pub(crate) async fn inspect(&self, at: Address) -> Result<Seen> {
        let mut here = at;
        for _ in 0..MAX_MOVES {
            let hash = self.keys.hash(&here.reference);
            let key = self.keys.session(here.shard, &hash);
            let session: Value = self.connection.query(redis::cmd("HVALS").arg(key)).await?;
            let session = Values::from_value(session).ok_or_else(|| strange("HVALS answered no values"))?;
            if !session.is_empty() {
                let recent = session.recent();
                let session = session.into_session(here, Timestamp::default(), Duration::ZERO);
                let Some(session) = session else {
                    return Err(strange("a session in Redis can't be decoded"));
                };
                return Ok(Seen::Alive(Box::new(Alive { record: *session.record, recent })));
            }
            let key = self.keys.aftermath(here.shard, &hash);
            let aftermath: Value = self.connection.query(redis::cmd("HGETALL").arg(key)).await?;
            let aftermath =
                Remembered::from_value(aftermath).ok_or_else(|| strange("HGETALL answered no hash"))?;
            let by = aftermath.get(b"by").and_then(|by| by.try_into().ok()).map(EventId::from_bytes);
            match aftermath.aftermath() {
                None => return Ok(Seen::Nothing),
                Some(Aftermath::Ended(_)) => return Ok(Seen::Ended { by }),
                Some(Aftermath::Moved { to, .. }) => here = Address { reference: to, ..here },
            }
        }
        Ok(Seen::Nothing)
    }

    /// Redis' clock.
    pub(crate) async fn now(&self) -> Result<Timestamp> {
        let (seconds, micros): (u64, u64) = self.connection.query(&redis::cmd("TIME")).await?;
        Ok(Timestamp::from_millis(seconds * 1000 + micros / 1000))
    }

    /// The key of the session at this address.
    pub(crate) fn key_of(&self, at: Address) -> String {
        self.keys.session_at(at)
    }

    /// Version and last event of the session under this key.
    pub(crate) async fn head_of(&self, key: &str) -> Result<Option<(u64, EventId)>> {
        let heads: Option<Vec<u8>> = self.connection.query(redis::cmd("HGET").arg(key).arg("h")).await?;
        let base = heads.as_deref().and_then(Heads::parse).map(|heads| heads.base);
        Ok(base.map(|base| (base.version.get(), base.head)))
    }
}

fn strange(text: &'static str) -> Error {
    Error::msg(ErrorKind::Corrupt, text)
}
