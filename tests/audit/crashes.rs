//! Writers that are killed in a loop under load.

use std::time::Duration;

use cloakroom::id::EventId;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{
    checker::{Findings, check, compare_heads},
    process::{Kind, Process},
    site::{Site, shared, until},
    traffic::{Acked, Traffic},
};

const SHARDS: u16 = 8;

/// Starts a writer, waits until it has stored something, kills it, `kills` times. Then lets a last one of
/// the same kind finish.
async fn kill_in_a_loop(site: &Site, kind: Kind, kills: u32) -> Vec<Acked> {
    let traffic = Traffic::start(&site.store, SHARDS, 16, Duration::from_millis(4));
    for _ in 0..kills {
        let process = Process::start(site, kind);
        let before = site.rows().await;
        until("the writer stores something", async || site.rows().await > before).await;
        // It is in the middle of something: of what, is up to chance.
        let chance = u64::from(EventId::new().as_bytes()[15]);
        tokio::time::sleep(Duration::from_micros(chance * 100)).await;
        process.kill();
    }
    let acked = traffic.stop().await;
    let last = Process::start(site, kind);
    site.until_drained().await;
    // The last one may have emptied the queue a moment before it stores, if it is the wrong kind.
    let mut rows = -1;
    until("nothing is stored any more", async || {
        let before = std::mem::replace(&mut rows, site.rows().await);
        tokio::time::sleep(Duration::from_millis(200)).await;
        before == rows
    })
    .await;
    last.kill();
    acked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_writers_are_killed_under_load() {
    let site = shared(SHARDS).await;
    let acked = kill_in_a_loop(&site, Kind::Ours, 20).await;
    assert!(acked.len() > 1000, "that was no load: {}", acked.len());
    assert_eq!(check(&site.pool, &acked).await, Findings::NONE);
    assert_eq!(compare_heads(&site).await, (0, 16));
    assert_eq!(site.queue().dead_letters().await.unwrap(), 0);
}

/// The control: were ours to delete before it stores, the test above would see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checker_finds_a_writer_that_deletes_before_it_stores() {
    let site = shared(SHARDS).await;
    let acked = kill_in_a_loop(&site, Kind::DeletesFirst, 8).await;
    let findings = check(&site.pool, &acked).await;
    assert!(findings.missing > 0 && findings.broken > 0, "{findings:?}");
    assert_eq!((findings.unknown, findings.doubled, findings.wrong), (0, 0, 0));
}

/// A writer as one would write it in a hurry.
pub async fn delete_first(redis: &str, namespace: &str, postgres: &str) {
    type Entries = Vec<(String, Vec<(String, Vec<u8>)>)>;
    let client = redis::Client::open(redis).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let mut postgres = PgConnection::connect(postgres).await.unwrap();
    loop {
        let streams: Vec<String> =
            redis::cmd("KEYS").arg(format!("{namespace}:*:audit")).query_async(&mut redis).await.unwrap();
        for stream in streams {
            let mut range = redis::cmd("XRANGE");
            range.arg(&stream).arg("-").arg("+").arg("COUNT").arg(40);
            let entries: Entries = range.query_async(&mut redis).await.unwrap();
            if entries.is_empty() {
                continue;
            }
            let ids: Vec<_> = entries.iter().map(|(id, _)| id).collect();
            redis::cmd("XDEL").arg(&stream).arg(ids).query_async::<()>(&mut redis).await.unwrap();
            for (id, fields) in &entries {
                let field = |name: &str| fields.iter().find(|(field, _)| field == name).unwrap().1.as_slice();
                let payload: serde_json::Value = serde_json::from_slice(field("e")).unwrap();
                let millis: i64 = id.split_once('-').unwrap().0.parse().unwrap();
                let version: i64 = std::str::from_utf8(field("v")).unwrap().parse().unwrap();
                let reference = cloakroom::id::SessionRef::parse(payload["ref"].as_str().unwrap()).unwrap();
                sqlx::query(
                    "INSERT INTO cloakroom.session_event
                         (event_id, occurred_at, ref, version, prev_event_id, kind, schema_version, shard, stream_id)
                     VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, NULLIF($5, $6), 'changed', 1, 0, $7)
                     ON CONFLICT DO NOTHING",
                )
                .bind(payload["id"].as_str().unwrap().parse::<Uuid>().unwrap())
                .bind(millis)
                .bind(reference.as_bytes().as_slice())
                .bind(version)
                .bind(Uuid::from_slice(field("p")).unwrap())
                .bind(Uuid::nil())
                .bind(id)
                .execute(&mut postgres)
                .await
                .unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
