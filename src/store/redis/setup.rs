//! What a namespace needs before its first session.

use std::collections::HashMap;

use super::RedisStore;
use crate::{
    error::{Error, ErrorKind, Result},
    id::Shard,
};

/// The layout of keys and fields that this release reads and writes.
const SCHEMA: u64 = 1;

/// Sets the namespace up, or checks that it was set up alike. Safe to repeat and to run on all
/// instances at once. The only place that reads `ns:meta`.
pub(super) async fn set_up(store: &RedisStore) -> Result<()> {
    let (keys, shards) = (&store.keys, u64::from(store.keys.shards().get()));
    let mut pipe = redis::pipe();
    pipe.cmd("HSETNX").arg(keys.meta()).arg("shards").arg(shards).ignore();
    pipe.cmd("HSETNX").arg(keys.meta()).arg("schema").arg(SCHEMA).ignore();
    pipe.cmd("HGETALL").arg(keys.meta());
    let (meta,): (HashMap<String, u64>,) = store.connection.pipeline(&pipe).await?;
    let stored = |name: &str| meta.get(name).copied().unwrap_or_default();
    if stored("shards") != shards {
        return Err(Error::msg(
            ErrorKind::Mismatch,
            format!(
                "this namespace has {} shards, and the store is configured for {shards}: configure it alike, or \
                 take another namespace (the number can't change, since tokens name their shard)",
                stored("shards")
            ),
        ));
    }
    if stored("schema") != SCHEMA {
        return Err(Error::msg(
            ErrorKind::Mismatch,
            format!("this namespace has schema {}, and this release knows {SCHEMA}", stored("schema")),
        ));
    }
    if store.events.is_some() {
        // Scripts go on where they may not publish. Better to hear of it now; nobody takes this for an event.
        let channel = keys.log(Shard::from_index(0));
        store.connection.query::<u64>(redis::cmd("PUBLISH").arg(channel).arg("ready")).await?;
    }
    // The counters exist from the start, so that no script ever declares a key that is only sometimes
    // there: during a slot migration that would mean TRYAGAIN.
    let mut pipe = redis::pipe();
    for shard in keys.shards().iter() {
        pipe.cmd("SET").arg(keys.epoch(shard)).arg(0).arg("NX").ignore();
        if store.connection.is_cluster() {
            store.connection.pipeline::<()>(&pipe).await?;
            pipe.clear();
        }
    }
    if !store.connection.is_cluster() {
        store.connection.pipeline::<()>(&pipe).await?;
    }
    Ok(())
}
