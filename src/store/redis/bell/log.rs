//! The log of a shard's events, and how far it was told.

use std::collections::BTreeMap;

use crate::{
    error::Result,
    events::{Cursor, EventPosition, News, SessionEvent, Told, Watcher, Watchers},
    id::Shard,
    store::redis::{Connection, Keys},
};

/// A shard that somebody watches.
pub(super) struct Watched {
    shard: Shard,
    key: String,
    cursor: Cursor,
    pub(super) watchers: Watchers,
}

/// What reading on came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Messages had told everything.
    Nothing,
    /// There was something that no message had told.
    Something,
}

type Entries = Vec<(String, BTreeMap<String, Vec<u8>>)>;

/// How many entries are read at a time, and how often in a row: more than the log holds.
const BATCH: usize = 1_000;
const BATCHES: usize = 12;

impl Watched {
    /// From now on.
    pub(super) async fn begin(keys: &Keys, connection: &Connection, shard: Shard) -> Result<Self> {
        let key = keys.log(shard);
        let cursor = Cursor::new(youngest(connection, shard, &key).await?);
        Ok(Self { shard, key, cursor, watchers: Watchers::default() })
    }

    pub(super) fn channel(&self) -> &str {
        &self.key
    }

    /// A message: `id version event`. Whether it told something new. Whoever may publish may have sent it.
    pub(super) fn hear(&mut self, message: &[u8]) -> bool {
        let mut parts = message.splitn(3, |byte| *byte == b' ');
        let mut text = || std::str::from_utf8(parts.next()?).ok();
        let (Some(id), Some(version)) = (text(), text()) else { return false };
        let event = EventPosition::of_entry(self.shard, id)
            .and_then(|position| Told::parse(position, version, parts.next()?));
        let Some(event) = event else { return false };
        let new = self.cursor.hear(event.position);
        if new {
            self.watchers.tell(event);
        }
        new
    }

    /// Whether so many messages came that the log must confirm them.
    pub(super) fn must_read(&self) -> bool {
        self.cursor.is_full()
    }

    /// Tells what the log has and messages have not told.
    pub(super) async fn read_on(&mut self, connection: &Connection) -> Result<Read> {
        let mut told = Read::Nothing;
        let mut count = 0;
        for _ in 0..BATCHES {
            let from = self.cursor.read();
            let entries = range(connection, &self.key, &from).await?;
            let (full, mut entries) = (entries.len() >= BATCH, entries.into_iter().peekable());
            // The entry that was read last is still there, or else others behind it may be gone, too.
            let last = entries.next_if(|(id, _)| *id == from.entry());
            if last.is_none() && !from.is_zero() {
                self.watchers.missed();
                told = Read::Something;
                if entries.peek().is_none() {
                    // Nothing as young: the log was emptied, or is another server's that had less.
                    self.cursor = Cursor::new(youngest(connection, self.shard, &self.key).await?);
                    return Ok(told);
                }
            }
            for (id, fields) in entries {
                count += 1;
                let Some(position) = EventPosition::of_entry(self.shard, &id) else { continue };
                let news = self.cursor.advance(position);
                if news == News::Known {
                    continue;
                }
                told = Read::Something;
                if news == News::Late {
                    self.watchers.missed();
                }
                if let Some(event) = event(position, &fields) {
                    self.watchers.tell(event);
                }
            }
            if !full {
                if self.cursor.end() {
                    self.watchers.missed();
                }
                break;
            }
        }
        if count >= BATCH * (BATCHES - 2) {
            // As much as the log holds: there may have been more.
            self.watchers.missed();
        }
        Ok(told)
    }

    /// Lets somebody in who has seen everything up to `since`. The log must have been read just now.
    pub(super) async fn resume(
        &mut self,
        connection: &Connection,
        mut watcher: Watcher,
        since: EventPosition,
    ) -> Result<()> {
        let end = self.cursor.read();
        let mut from = since;
        for _ in 0..BATCHES {
            let entries = range(connection, &self.key, &from).await?;
            let (full, mut entries) = (entries.len() >= BATCH, entries.into_iter().peekable());
            if entries.next_if(|(id, _)| *id == from.entry()).is_none() {
                watcher.missed();
            }
            for (id, fields) in entries {
                let Some(position) = EventPosition::of_entry(self.shard, &id) else { continue };
                from = position;
                if position <= end
                    && let Some(event) = event(position, &fields)
                {
                    watcher.tell(&event.into());
                }
            }
            if !full || from >= end {
                break;
            }
        }
        self.watchers.add(watcher);
        Ok(())
    }
}

fn event(position: EventPosition, fields: &BTreeMap<String, Vec<u8>>) -> Option<SessionEvent> {
    let version = std::str::from_utf8(fields.get("v")?).ok()?;
    Told::parse(position, version, fields.get("e")?)
}

/// The entries from this one on, and including it.
async fn range(connection: &Connection, key: &str, from: &EventPosition) -> Result<Entries> {
    let mut command = redis::cmd("XRANGE");
    command.arg(key).arg(from.entry()).arg("+").arg("COUNT").arg(BATCH);
    connection.query(&command).await
}

async fn youngest(connection: &Connection, shard: Shard, key: &str) -> Result<EventPosition> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(key).arg("+").arg("-").arg("COUNT").arg(1);
    let entries: Entries = connection.query(&command).await?;
    let youngest = entries.first().and_then(|(id, _)| EventPosition::of_entry(shard, id));
    Ok(youngest.unwrap_or(EventPosition::zero(shard)))
}
