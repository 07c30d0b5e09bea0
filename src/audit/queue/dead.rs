//! Dead letters, for the person who mends what was wrong: look, put back, or drop.

use std::{collections::HashMap, fmt, str::FromStr};

use redis::{FromRedisValue, ParsingError, Value};

use super::{AuditQueue, StreamId};
use crate::{
    audit::ParsedPayload,
    clock::Timestamp,
    error::{Error, ErrorKind},
    id::Shard,
};

/// The name of a dead letter: its shard, and its place among that shard's dead letters.
///
/// As text `7/1700000000123-0`. Letters are ordered by it: by shard, then by when they died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId {
    shard: Shard,
    id: StreamId,
}

impl DeadLetterId {
    /// The shard.
    pub const fn shard(self) -> Shard {
        self.shard
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shard.index(), self.id)
    }
}

impl FromStr for DeadLetterId {
    type Err = Error;

    /// Reads what `Display` wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (shard, id) = text.split_once('/')?;
            Some(Self { shard: Shard::from_index(shard.parse().ok()?), id: id.parse().ok()? })
        };
        parse().ok_or_else(|| {
            Error::msg(
                ErrorKind::Config,
                "this is no dead letter's name: 7/1700000000123-0 is expected, as the list shows it",
            )
        })
    }
}

/// An entry that PostgreSQL refused five times.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its name.
    pub id: DeadLetterId,
    /// The stream id that it had at first, from which its row's time and key come.
    pub stream_id: String,
    /// When the change was made, by Redis' clock.
    pub occurred_at: Timestamp,
    /// When it was given up, by Redis' clock.
    pub died_at: Timestamp,
    /// Why: PostgreSQL's SQLSTATE and message. The message may quote the row.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The version that the change made, where it can be read.
    pub version: Option<u64>,
    /// A [`Payload`](crate::audit::Payload) as JSON, byte for byte as it waited. It holds session values.
    pub payload: Vec<u8>,
}

impl DeadLetter {
    /// The payload's fields, as far as this release knows them; `None` where it can't be read.
    pub fn parse(&self) -> Option<ParsedPayload<'_>> {
        serde_json::from_slice(&self.payload).ok()
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the payload nor the message: both tell session values.
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl AuditQueue {
    /// Up to `limit` dead letters, ordered by name, those behind `after` only: give the last one's name for
    /// the next page. Letters that die meanwhile come on a later page, or not until the next listing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn list_dead(
        &self,
        after: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        let mut full = Vec::new();
        for (index, count) in self.dead_counts().await {
            if count? > 0 {
                full.push(index);
            }
        }
        full.sort_unstable();
        let mut letters = Vec::new();
        for index in full {
            let keys = self.keys(index)?;
            let begin = match after {
                Some(after) if keys.shard < after.shard => continue,
                Some(after) if keys.shard == after.shard => format!("({}", after.id),
                _ => "-".to_owned(),
            };
            let left = limit.saturating_sub(letters.len());
            if left == 0 {
                break;
            }
            let mut range = redis::cmd("XRANGE");
            range.arg(&keys.dead).arg(begin).arg("+").arg("COUNT").arg(left);
            let found: Vec<Buried> = self.connection.query(&range).await?;
            letters.extend(found.into_iter().map(|buried| buried.letter(keys.shard)));
        }
        Ok(letters)
    }

    /// One dead letter; `None` where there is none of that name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn dead_letter(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, Error> {
        let Some(keys) = self.keys_of(id) else { return Ok(None) };
        let mut range = redis::cmd("XRANGE");
        range.arg(&keys.dead).arg(id.id.to_string()).arg(id.id.to_string());
        let found: Vec<Buried> = self.connection.query(&range).await?;
        Ok(found.into_iter().next().map(|buried| buried.letter(keys.shard)))
    }

    /// Puts a dead letter back into the queue: a writer tries it again, five times. `false` where there is
    /// none of that name, also where somebody else put it back or dropped it before.
    ///
    /// It keeps the stream id that it had at first, so its row gets the time and the key that it always had,
    /// and is stored once however often this is done.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time, or is full: the letter is then where it
    /// was.
    pub async fn retry_dead(&self, id: DeadLetterId) -> Result<bool, Error> {
        let Some(keys) = self.keys_of(id) else { return Ok(false) };
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("scripts/retry.lua")).arg(2).arg(&keys.dead).arg(&keys.stream);
        self.connection.query(eval.arg(id.id.to_string())).await
    }

    /// Deletes a dead letter: the change that it tells of will never be in `session_event`, and its session's
    /// versions have a gap there. What PostgreSQL noted in `session_event_dead` stays. `false` where there is
    /// none of that name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn drop_dead(&self, id: DeadLetterId) -> Result<bool, Error> {
        let Some(keys) = self.keys_of(id) else { return Ok(false) };
        let mut delete = redis::cmd("XDEL");
        self.connection.query(delete.arg(&keys.dead).arg(id.id.to_string())).await
    }

    fn keys_of(&self, id: DeadLetterId) -> Option<&super::ShardKeys> {
        self.shards.iter().find(|keys| keys.shard == id.shard)
    }
}

/// A dead letter as it stands in its stream, whatever somebody may have written there by hand.
struct Buried {
    id: StreamId,
    fields: HashMap<String, Vec<u8>>,
}

impl Buried {
    fn letter(mut self, shard: Shard) -> DeadLetter {
        let text = |name: &str| {
            self.fields.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
        };
        let stream_id = text("id");
        let origin = stream_id.parse().unwrap_or(self.id);
        DeadLetter {
            id: DeadLetterId { shard, id: self.id },
            occurred_at: Timestamp::from_millis(origin.millis()),
            died_at: Timestamp::from_millis(self.id.millis()),
            error: text("err"),
            attempts: text("n").parse().unwrap_or_default(),
            version: text("v").parse().ok(),
            stream_id,
            payload: self.fields.remove("e").unwrap_or_default(),
        }
    }
}

impl FromRedisValue for Buried {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Fields = Vec<(Vec<u8>, Vec<u8>)>;
        let (id, fields): (Vec<u8>, Fields) = FromRedisValue::from_redis_value(value)?;
        let Some(id) = StreamId::from_bytes(&id) else {
            return Err("a dead letter without a stream id".into());
        };
        let named = |(name, value): (Vec<u8>, _)| (String::from_utf8_lossy(&name).into_owned(), value);
        Ok(Self { id, fields: fields.into_iter().map(named).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let id: DeadLetterId = "7/1700000000123-4".parse().unwrap();
        assert_eq!(id.to_string(), "7/1700000000123-4");
        assert!("7/9-0".parse::<DeadLetterId>().unwrap() < "7/10-0".parse().unwrap());
        for text in ["", "7", "7/", "x/1-0", "7/x", "70000/1-0"] {
            assert_eq!(text.parse::<DeadLetterId>().unwrap_err().kind(), ErrorKind::Config, "{text}");
        }
    }
}
