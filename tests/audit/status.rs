//! What an operator sees.

use std::time::Duration;

use cloakroom::error::ErrorKind;

use crate::{
    poison::one_shard,
    site::{store, until},
    traffic::{ByHand, add},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_bytes_age_and_lease_of_each_shard_are_told() {
    let (site, stream, dead) = one_shard().await;
    let queue = site.queue();
    let empty = queue.status().await.unwrap();
    assert_eq!((empty.entries(), empty.bytes(), empty.oldest(), empty.dead()), (0, 0, None, 0));
    assert_eq!((empty.shards.len(), empty.abandoned()), (1, 0));

    let mut redis = site.redis.clone();
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    // The stream had later entries; Redis takes an earlier id only where it has forgotten them.
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    let entries: Vec<_> = (0..1000).map(|_| ByHand::new("alice")).collect();
    add(&mut redis, &stream, &format!("{}-0", (seconds - 90) * 1000), &entries[..1]).await;
    add(&mut redis, &stream, "*", &entries[1..]).await;
    add(&mut redis, &dead, "*", &entries[..2]).await;

    let status = queue.status().await.unwrap();
    assert_eq!((status.entries(), status.dead(), status.abandoned()), (1000, 2, 1));
    let oldest = status.oldest().unwrap();
    assert!(oldest >= Duration::from_secs(89) && oldest < Duration::from_secs(150), "{oldest:?}");
    let payloads: usize = entries.iter().map(|entry| entry.payload.len()).sum();
    let bytes = status.bytes() as usize;
    assert!(bytes > payloads && bytes < 2 * payloads, "{bytes} for {payloads} bytes of payload");

    let lease = Duration::from_secs(60);
    let writer = site.writer().name("host-7:42").lease(lease);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("it has the shard", async || queue.status().await.unwrap().shards[0].lease.is_some()).await;
    let held = queue.status().await.unwrap().shards.remove(0).lease.unwrap();
    assert!(held.writer.starts_with("host-7:42 ") && held.left <= lease && held.left > lease / 2, "{held:?}");
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
    assert_eq!(queue.status().await.unwrap().shards[0].lease, None);
}

#[tokio::test]
async fn a_namespace_that_is_not_there_or_is_another_is_told_and_none_is_made() {
    let (site, ..) = one_shard().await;
    site.queue().check_namespace().await.unwrap();
    let other = store(&site.redis_url, &site.namespace, 16).audit_queue();
    assert_eq!(other.recorded_shards().await.unwrap(), Some(1));
    let error = other.check_namespace().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("1 shards") && error.to_string().contains("16"), "{error}");

    let mistyped = store(&site.redis_url, "mistyped", 64).audit_queue();
    assert_eq!(mistyped.check_namespace().await.unwrap_err().kind(), ErrorKind::Mismatch);
    mistyped.status().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("mistyped:*").query_async(&mut site.redis.clone()).await.unwrap();
    assert_eq!(keys, Vec::<String>::new());
}
