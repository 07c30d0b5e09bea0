//! How many entries a second one writer brings from Redis into PostgreSQL, both on this machine:
//! `cargo bench --bench drain`. With settings behind `--`: entries (200000), shards (64), rows an insert
//! (500), inserts at a time (4).
//!
//! Measure: from the writer's start until the queue is empty, every index in place. The private
//! PostgreSQL does not sync to disk; `DRAIN_POSTGRES=<url>` names one that does. Noise: on a shared
//! machine a third up or down.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

use std::time::{Duration, Instant};

use cloakroom::{
    audit::{self, AuditPool, AuditWriter, Payload},
    id::{EventId, SessionRef},
    store::{RedisStore, SessionStore},
};

#[tokio::main]
async fn main() {
    // cargo adds `--bench` to what was asked for.
    let given: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let arg = |n: usize, default| given.get(n).copied().unwrap_or(default);
    let smoke = report::is_smoke();
    let (entries, shards, batch, inserts) =
        (arg(0, if smoke { 2_000 } else { 200_000 }), arg(1, 64), arg(2, 500), arg(3, 4));
    let (redis, postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let url = std::env::var("DRAIN_POSTGRES").unwrap_or_else(|_| postgres.url());
    let store = RedisStore::builder(redis.url()).namespace("bench").shards(shards as u16).audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    store.ready().await.unwrap();
    let epochs = redis.command(&["KEYS", "bench:*:epoch"]).unwrap();
    let streams: Vec<String> = epochs.lines().map(|key| key.replace(":epoch", ":audit")).collect();
    assert_eq!(streams.len() as u64, shards);

    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let (mut n, mut size) = (0, 0);
    while n < entries {
        let mut pipe = redis::pipe();
        for _ in 0..1000.min(entries - n) {
            n += 1;
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
            size = payload.len();
            pipe.cmd("XADD").arg(&streams[n as usize % streams.len()]).arg("*").arg("v").arg(n % 40 + 1);
            pipe.arg("p").arg(event.as_bytes()).arg("e").arg(payload).ignore();
        }
        pipe.query_async::<()>(&mut connection).await.unwrap();
    }

    let pool = AuditPool::new(url).open().unwrap();
    audit::migrate(&pool).await.unwrap();
    let queue = store.audit_queue();
    let writer = AuditWriter::new(queue.clone(), pool).batch(batch as u16).concurrency(inserts as u8);
    let stop = writer.stop_handle();
    let began = Instant::now();
    let running = tokio::spawn(writer.run());
    while !queue.is_empty().await.unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    stop.stop();
    assert_eq!(running.await.unwrap().stored, entries);
    let rate = entries as f64 / took.as_secs_f64();
    let mut results = report::Results::start("drain", smoke).unwrap();
    let numbers = serde_json::json!({
        "per_second": rate, "entries": entries, "bytes": size, "shards": shards, "rows": batch, "inserts": inserts,
    });
    results.add("drained", numbers).unwrap();
    println!(
        "{rate:.0} entries/s: {entries} of {size} B, {shards} shards, {batch} rows an insert, {inserts} at a time, {took:.2?}"
    );
}
