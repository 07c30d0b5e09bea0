//! Each role does its own work with seals, and no other's.

use std::time::Duration;

use cloakroom::audit::{
    AuditPool, AuditWriter, Snapshots,
    seal::{self, Verifier, erase},
};
use serde_json::json;
use servers::Postgres;
use sqlx::{PgPool, raw_sql};

use crate::site::{Site, key, until};

/// An account of its own in each role.
async fn account(site: &Site, url: &str, role: &str) -> PgPool {
    let name = format!("as_{role}");
    let sql = format!("CREATE ROLE {name} LOGIN IN ROLE cloakroom_{role}");
    raw_sql(sqlx::AssertSqlSafe(sql)).execute(&site.pool).await.unwrap();
    AuditPool::new(url.replace("postgres@", &format!("{name}@"))).open().unwrap()
}

async fn state(pool: &PgPool, sql: &'static str) -> String {
    let done = raw_sql(sql).execute(pool).await;
    done.err()
        .map(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_writer_seals_the_reader_verifies_and_the_owner_erases() {
    // A server of its own, since roles belong to all databases of one.
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let site = Site::with(&url, Duration::from_secs(3600)).await;
    let token = site.run("", "login alice; write note \"hers\"").await.token.unwrap();
    site.run(&token, "write n 2").await;
    let [writer, reader, owner] = [
        account(&site, &url, "writer").await,
        account(&site, &url, "reader").await,
        account(&site, &url, "owner").await,
    ];

    let queue = site.store.audit_queue();
    let sealing = AuditWriter::new(queue.clone(), writer.clone()).seal(Some(key()));
    let stop = sealing.stop_handle();
    let running = tokio::spawn(sealing.run());
    until("all is stored", async || queue.is_empty().await.unwrap()).await;
    stop.stop();
    assert_eq!(running.await.unwrap().stored, 2);
    for sql in [
        "UPDATE cloakroom.seal SET rows = 0",
        "DELETE FROM cloakroom.seal",
        "TRUNCATE cloakroom.seal",
        "SELECT cloakroom.set_up_seal_roles()",
        "UPDATE cloakroom.erasure SET done = 0",
        "DELETE FROM cloakroom.erasure",
        "UPDATE cloakroom.session_event SET value_salt = NULL",
    ] {
        for pool in [&writer, &reader] {
            assert_eq!(state(pool, sql).await, "42501", "{sql}");
        }
    }
    assert_eq!(state(&writer, "SELECT user_id FROM cloakroom.session_event").await, "42501");
    assert_eq!(state(&writer, "SELECT event_id FROM cloakroom.session_event").await, "");
    let seal = "INSERT INTO cloakroom.seal SELECT * FROM cloakroom.seal";
    assert_eq!(state(&reader, seal).await, "42501");

    let trusting = || Verifier::new().key(key().public());
    let told = seal::check(&reader, trusting()).await.unwrap();
    assert_eq!((told.rows, told.unsealed_rows, told.findings.len()), (2, 0, 0), "{told:?}");
    let snapshots = |pool: &PgPool| Snapshots::new(pool.clone(), "shop").every(1).settle(Duration::ZERO);
    for pool in [&writer, &reader] {
        assert!(erase(pool, "shop", "alice").await.is_err());
        assert!(snapshots(pool).run().await.is_err(), "what is forged there would be put into Redis");
        let forged = "INSERT INTO cloakroom.session_snapshot VALUES ('shop', '', 1, '{}', NULL, 1, 1, '')";
        assert_eq!(state(pool, forged).await, "42501");
    }
    assert_eq!(snapshots(&owner).run().await.unwrap().made, 1);
    assert_eq!(state(&writer, "SELECT state FROM cloakroom.session_snapshot").await, "42501");
    assert_eq!(state(&reader, "SELECT state FROM cloakroom.session_snapshot").await, "");
    assert_eq!(erase(&owner, "elsewhere", "alice").await.unwrap().rows, 0, "another application's user");
    assert_eq!(erase(&owner, "shop", "alice").await.unwrap().rows, 2);
    let told = seal::check(&reader, trusting()).await.unwrap();
    assert_eq!((told.erased_rows, told.findings.len()), (2, 0), "{told:?}");
    assert_eq!(site.run(&token, "user").await.told, [json!("alice")], "Redis is not asked");
}

/// A note of a dead letter holds what the row would have held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_of_dead_letters_are_erased_too() {
    let site = Site::start().await;
    let note = "INSERT INTO cloakroom.session_event_dead (event_id, occurred_at, namespace, user_id, shard, stream_id, attempts, error, payload)
                SELECT gen_random_uuid(), now(), 'shop', name, 0, '1-0', 5, '22P05: ' || name, name::bytea
                FROM (VALUES ('alice'), ('bob')) AS user_(name)";
    assert_eq!(site.sql(note).await, 2);
    assert_eq!(erase(&site.pool, "shop", "alice").await.unwrap().notes, 1);
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT d::text || convert_from(payload, 'UTF8') FROM cloakroom.session_event_dead AS d",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    let left = left.join("\n");
    assert!(!left.contains("alice") && left.contains("bob"), "{left}");
}
