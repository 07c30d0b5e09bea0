//! What a namespace needs before its first session.

use std::collections::HashMap;

use redis::Value;

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
    refuse_eviction(store).await?;
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

/// A server that makes room by forgetting keys ends sessions at random. Where it may forget any key, it forgets what
/// waits for the trail, and nobody could tell what that was.
async fn refuse_eviction(store: &RedisStore) -> Result<()> {
    // Who may not ask goes on; on a cluster, each node answers.
    let Ok(info) = store.connection.query::<Value>(redis::cmd("INFO").arg("memory")).await else {
        return Ok(());
    };
    let mut policies = Vec::new();
    evicting(&info, &mut policies);
    let Some(policy) = policies.iter().max_by_key(|policy| policy.starts_with("allkeys")) else {
        return Ok(());
    };
    if store.trail.on && policy.starts_with("allkeys") {
        return Err(Error::msg(
            ErrorKind::Config,
            format!(
                "Redis has maxmemory-policy {policy} and would drop audit entries that nobody has stored: set it to \
                 noeviction, or keep sessions on a server of their own"
            ),
        ));
    }
    tracing::warn!(%policy, "Redis ends sessions at random when it is full: set maxmemory-policy to noeviction");
    Ok(())
}

/// The policies of servers with a limit and one other than to refuse.
fn evicting(info: &Value, policies: &mut Vec<String>) {
    let text = match info {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text.into(),
        Value::Map(nodes) => return nodes.iter().for_each(|(_, info)| evicting(info, policies)),
        Value::Array(values) => return values.iter().for_each(|info| evicting(info, policies)),
        _ => return,
    };
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let limit = field("maxmemory:").and_then(|limit| limit.trim().parse::<u64>().ok()).unwrap_or(0);
    if let Some(policy) = field("maxmemory_policy:").map(str::trim)
        && limit > 0
        && policy != "noeviction"
    {
        policies.push(policy.to_owned());
    }
}
