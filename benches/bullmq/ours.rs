//! Cloakroom's queue and writer, with their defaults.

use std::time::{Duration, Instant};

use cloakroom::{
    audit::{AuditPool, AuditWriter},
    store::{RedisStore, SessionStore as _},
};

use crate::events::Event;

pub(crate) async fn store(redis: &servers::Redis) -> RedisStore {
    let store = RedisStore::builder(redis.url()).namespace("bench").audit(true);
    let store = store.timeout(Duration::from_secs(10)).build().unwrap();
    store.ready().await.unwrap();
    store
}

/// Puts them into the queue, over all shards: the fields that the commit script writes, at the time of the event.
pub(crate) async fn fill(redis: &servers::Redis, events: &[Event]) {
    let epochs = redis.command(&["KEYS", "bench:*:epoch"]).unwrap();
    let streams: Vec<String> = epochs.lines().map(|key| key.replace(":epoch", ":audit")).collect();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    connection.set_response_timeout(Duration::from_secs(60));
    for (chunk, events) in events.chunks(1000).enumerate() {
        let mut pipe = redis::pipe();
        for (n, Event { at, version, predecessor, payload }) in events.iter().enumerate() {
            let stream = &streams[(chunk * 1000 + n) % streams.len()];
            pipe.cmd("XADD").arg(stream).arg(format!("{at}-0")).arg("v").arg(version);
            pipe.arg("p").arg(predecessor.as_bytes()).arg("e").arg(payload).ignore();
        }
        pipe.query_async::<()>(&mut connection).await.unwrap();
    }
}

/// Brings them into PostgreSQL, and answers with the seconds that it took.
pub(crate) async fn drain(store: &RedisStore, postgres: &str, count: usize) -> f64 {
    let queue = store.audit_queue();
    let pool = AuditPool::new(postgres).open().unwrap();
    // The others have connected too when their time begins.
    drop(pool.acquire().await.unwrap());
    let writer = AuditWriter::new(queue.clone(), pool);
    let stop = writer.stop_handle();
    let began = Instant::now();
    let running = tokio::spawn(writer.run());
    // What this asks of Redis is counted as the writer's.
    while !queue.is_empty().await.unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = began.elapsed().as_secs_f64();
    stop.stop();
    assert_eq!(running.await.unwrap().stored, count as u64);
    took
}
