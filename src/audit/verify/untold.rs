//! Sessions in Redis that the trail may not know.

use std::collections::HashSet;

use crate::{error::Error, id::EventId, store::RedisStore};

/// The keys of sessions that are not among those that are `known`, with their last events.
pub(super) async fn strangers(
    store: &RedisStore,
    known: &HashSet<String>,
) -> Result<Vec<(String, EventId)>, Error> {
    let mut strangers = Vec::new();
    for master in store.masters().await? {
        let mut cursor = 0;
        loop {
            let (next, keys) = store.scan(&master, cursor).await?;
            for key in keys.into_iter().filter(|key| !known.contains(key)) {
                // It may be over by now.
                if let Some((_, head)) = store.head_of(&key).await? {
                    strangers.push((key, head));
                }
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    // `SCAN` may answer a key twice, and so may two masters while its slot moves.
    strangers.sort();
    strangers.dedup_by(|one, other| one.0 == other.0);
    Ok(strangers)
}
