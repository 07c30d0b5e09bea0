//! Reading the head of a stream, and deleting what was stored.

use redis::{FromRedisValue, ParsingError, Value};

use super::{AuditQueue, StreamId};
use crate::error::Error;

/// An entry as it waits: bytes that nobody has judged yet.
///
/// Whatever stands in a stream must become one of these, however broken: an entry that could not be read
/// would be one that can neither be stored nor buried, and the queue would stop at it.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Waiting {
    /// Its name in the stream that it waits in.
    pub(in crate::audit) id: StreamId,
    /// Its first name, where it was put back from the dead letters.
    original: Option<StreamId>,
    pub(in crate::audit) version: Vec<u8>,
    pub(in crate::audit) predecessor: Vec<u8>,
    pub(in crate::audit) payload: Vec<u8>,
    /// How much of the payload is as it waits.
    begins: usize,
}

/// Layout, name and whether values are told take less.
const BEGINS: usize = 96;

impl Waiting {
    /// The id from which the row's time and key come: the same on every redelivery.
    pub(in crate::audit) fn origin(&self) -> StreamId {
        self.original.unwrap_or(self.id)
    }

    /// About how many bytes it takes.
    pub(in crate::audit) fn size(&self) -> usize {
        self.version.len() + self.predecessor.len() + self.payload.len()
    }

    /// How its payload begins: the change's name stands there, which no two entries share.
    pub(in crate::audit) fn beginning(&self) -> &[u8] {
        // What the script worked out is put in front of its last byte.
        self.payload.get(..self.begins.min(self.payload.len())).unwrap_or_default()
    }

    #[cfg(test)]
    pub(in crate::audit) fn for_test(id: &str, version: &str, predecessor: &[u8], payload: &[u8]) -> Self {
        Self {
            id: id.parse().unwrap(),
            original: None,
            version: version.into(),
            predecessor: predecessor.into(),
            payload: payload.into(),
            begins: 0,
        }
    }
}

impl AuditQueue {
    /// The oldest `count` entries of a shard.
    pub(in crate::audit) async fn read(&self, index: usize, count: usize) -> Result<Vec<Waiting>, Error> {
        let mut range = redis::cmd("XRANGE");
        range.arg(&self.keys(index)?.stream).arg("-").arg("+").arg("COUNT").arg(count);
        self.connection.query(&range).await
    }

    /// Deletes entries that are stored, each by its id and how its payload begins. By id and never by trimming: after
    /// a failover to a replica whose clock lags, a trim by id would delete entries that nobody has read. What is not
    /// deleted comes again.
    pub(in crate::audit) async fn delete(
        &self,
        index: usize,
        mut entries: Vec<(StreamId, Vec<u8>)>,
    ) -> Result<(), Error> {
        entries.sort_unstable();
        // A thousand are quick; a million would block the server.
        for entries in entries.chunks(1000) {
            let mut delete = redis::cmd("EVAL");
            delete.arg(DELETE).arg(1).arg(&self.keys(index)?.stream);
            for (id, beginning) in entries {
                delete.arg(id.to_string()).arg(beginning);
            }
            self.connection.query::<u64>(&delete).await?;
        }
        Ok(())
    }
}

/// A script behind `same.lua`; its first line says what it may do, and stays the first.
macro_rules! with_same {
    ($script:literal) => {
        concat!("#!lua flags=allow-oom\n", include_str!("scripts/same.lua"), include_str!($script))
    };
}
pub(super) use with_same;

const DELETE: &str = with_same!("scripts/delete.lua");

impl FromRedisValue for Waiting {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Fields = Vec<(Vec<u8>, Vec<u8>)>;
        let (id, fields): (Vec<u8>, Fields) = FromRedisValue::from_redis_value(value)?;
        let Some(id) = StreamId::from_bytes(&id) else {
            return Err("an entry without a stream id".into());
        };
        let mut entry = Self {
            id,
            original: None,
            version: Vec::new(),
            predecessor: Vec::new(),
            payload: Vec::new(),
            begins: 0,
        };
        let mut results = Results::default();
        for (name, value) in fields {
            match name.as_slice() {
                b"v" => entry.version = value,
                b"p" => entry.predecessor = value,
                b"e" => entry.payload = value,
                b"id" => entry.original = StreamId::from_bytes(&value),
                [b'.', name @ ..] => {
                    results.push(name, &value);
                }
                _ => {}
            }
        }
        entry.begins = entry.payload.len().saturating_sub(1).min(BEGINS);
        results.splice_into(&mut entry.payload);
        Ok(entry)
    }
}

/// What the commit script worked out, as a member of the payload.
#[derive(Default)]
struct Results(Vec<u8>);

impl Results {
    fn push(&mut self, name: &[u8], value: &[u8]) {
        let name = serde_json::to_string(&String::from_utf8_lossy(name)).unwrap_or_default();
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value);
    }

    /// The payload is an object that has members. Whatever else it is, it is kept as it is, with the
    /// results behind it.
    fn splice_into(self, payload: &mut Vec<u8>) {
        if self.0.is_empty() {
            return;
        }
        let closed = payload.pop_if(|last| *last == b'}').is_some();
        payload.extend_from_slice(b",\"results\":");
        payload.extend_from_slice(&self.0);
        payload.extend_from_slice(if closed { b"}}" } else { b"}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn any_entry_can_be_read() {
        let whole =
            [bulk("v"), bulk("3"), bulk("p"), bulk("pp"), bulk("e"), bulk("{}"), bulk("id"), bulk("5-1")];
        let read: Waiting =
            FromRedisValue::from_redis_value(Value::Array(vec![bulk("7-0"), Value::Array(whole.into())]))
                .unwrap();
        assert_eq!((read.version.as_slice(), read.payload.as_slice()), (b"3".as_slice(), b"{}".as_slice()));
        assert_eq!((read.id.to_string(), read.origin().to_string()), ("7-0".into(), "5-1".into()));

        let counted = [
            bulk("v"),
            bulk("3"),
            bulk("e"),
            bulk("{\"a\":1}"),
            bulk(".n\""),
            bulk("7"),
            bulk(".m"),
            bulk("[]"),
        ];
        let read: Waiting =
            FromRedisValue::from_redis_value(Value::Array(vec![bulk("7-0"), Value::Array(counted.into())]))
                .unwrap();
        assert_eq!(read.payload, br#"{"a":1,"results":{"n\"":7,"m":[]}}"#);

        let foreign = Value::Array(vec![bulk("7-0"), Value::Array(vec![bulk("x"), bulk("y")])]);
        let read: Waiting = FromRedisValue::from_redis_value(foreign).unwrap();
        assert_eq!((read.payload.len(), read.origin()), (0, read.id));
    }
}
