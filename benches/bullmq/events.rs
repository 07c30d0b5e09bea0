//! The events of a run: the same for every way.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom::{
    audit::Payload,
    id::{EventId, SessionRef},
};

pub(crate) struct Event {
    /// Milliseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) version: usize,
    pub(crate) predecessor: EventId,
    pub(crate) payload: String,
}

/// Small changes of a cart, a millisecond apart, the last of them now.
pub(crate) fn make(count: usize) -> Vec<Event> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    (0..count)
        .map(|n| {
            let event = EventId::new();
            let mut bytes = [0; 32];
            for part in bytes.chunks_mut(8) {
                part.copy_from_slice(&EventId::new().as_bytes()[8..]);
            }
            let reference = SessionRef::from_bytes(bytes);
            let payload = format!(
                r#"{{"schema":{},"id":"{event}","kind":"changed","ref":"{reference}","user":"user-{}","set":{{"cart":["tea","cup"],"seen":{n}}},"context":{{"method":"POST","route":"/cart","ip":"203.0.113.7"}}}}"#,
                Payload::SCHEMA,
                n % 5000
            );
            let at = now - (count - n) as u64;
            Event { at, version: n % 40 + 1, predecessor: EventId::new(), payload }
        })
        .collect()
}

/// The file of them that node reads.
pub(crate) fn write(events: &[Event], folder: &Path) -> io::Result<PathBuf> {
    let mut lines = String::new();
    for Event { at, version, predecessor, payload } in events {
        writeln!(lines, r#"{{"at":{at},"v":{version},"p":"{predecessor}","e":{payload}}}"#).unwrap();
    }
    let file = folder.join("events.jsonl");
    fs::write(&file, lines)?;
    Ok(file)
}
