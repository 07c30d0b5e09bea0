//! Sessions in Redis that the trail may not know.

use std::collections::HashSet;

use crate::{error::Error, id::EventId, store::RedisStore};

/// The keys of sessions that are not among those that are `known`, with their last events.
pub(super) async fn strangers(
    store: &RedisStore,
    known: &HashSet<String>,
) -> Result<Vec<(String, EventId)>, Error> {
    let mut strangers = Vec::new();
    if !store.can_scan() {
        return Ok(strangers);
    }
    let mut cursor = 0;
    loop {
        let (next, keys) = store.scan(cursor).await?;
        for key in keys.into_iter().filter(|key| !known.contains(key)) {
            // It may be over by now.
            if let Some((_, head)) = store.head_of(&key).await? {
                strangers.push((key, head));
            }
        }
        if next == 0 {
            // `SCAN` may answer a key twice.
            strangers.sort();
            strangers.dedup_by(|one, other| one.0 == other.0);
            return Ok(strangers);
        }
        cursor = next;
    }
}
