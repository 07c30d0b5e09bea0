//! Raising the epoch, which voids every session at once without touching one.

use std::sync::LazyLock;

use redis::Script;

use super::{
    RedisStore,
    answer::{Answer, strange},
};
use crate::{
    audit::Payload,
    error::{Error, Result},
    id::{EventId, Shard},
    store::Raise,
};

static EPOCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        "#!lua flags=allow-oom\n",
        include_str!("scripts/tell.lua"),
        include_str!("scripts/epoch.lua")
    ))
});

/// Every shard's `GET`, and every shard's script. All are read before the first is raised: what began
/// before this was asked is then below the new number on every shard, also where two raise it at a time.
pub(super) async fn raise(store: &RedisStore, raise: &Raise) -> Result<u64> {
    let shards: Vec<Shard> = store.keys.shards().iter().collect();
    let mut highest = 0;
    let mut failure = None;
    for shard in &shards {
        let key = store.keys.epoch(*shard);
        match store.connection.query::<Option<u64>>(redis::cmd("GET").arg(key)).await {
            Ok(epoch) => highest = highest.max(epoch.unwrap_or_default()),
            Err(error) => keep(&mut failure, error),
        }
    }
    // A master that is out of reach must not keep the sessions on the others alive. Its own epoch may be
    // higher, so the error that is answered says that this is not done.
    for shard in &shards {
        if let Err(error) = one(store, raise, *shard, highest + 1).await {
            keep(&mut failure, error);
        }
    }
    match failure {
        None => Ok(highest + 1),
        Some(error) => Err(error),
    }
}

/// Sets a shard's epoch to at least `to`, and tells nobody: the trail knows.
#[cfg(feature = "audit")]
pub(super) async fn put_back(store: &RedisStore, shard: Shard, to: u64) -> Result<()> {
    run(store, shard, to, "").await
}

fn keep(failure: &mut Option<Error>, error: Error) {
    failure.get_or_insert(error);
}

async fn one(store: &RedisStore, raise: &Raise, shard: Shard, to: u64) -> Result<()> {
    let payload = store.told(|| Payload::of_namespace(EventId::new(), &raise.context));
    run(store, shard, to, &payload).await
}

async fn run(store: &RedisStore, shard: Shard, to: u64, told: &str) -> Result<()> {
    let mut script = EPOCH.prepare_invoke();
    let keys = &store.keys;
    script.key(keys.epoch(shard)).key(keys.audit(shard)).key(keys.log(shard)).arg(to).arg(told);
    match Answer::of(store.connection.script(&script).await?)?.word().as_slice() {
        b"raised" | b"kept" => Ok(()),
        _ => Err(strange()),
    }
}
