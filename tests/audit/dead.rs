//! Dead letters: looked at, put back, dropped.

use std::time::Duration;

use cloakroom::audit::DeadLetterId;

use crate::{
    checker::{Findings, check},
    poison::{ONLY_PEOPLE, acked, one_shard},
    site::{Site, count},
    traffic::{ByHand, add},
};

const NOTED: &str = "SELECT count(*) FROM cloakroom.session_event_dead";

/// Lets a writer work until nothing waits.
async fn drain(site: &Site) {
    let writer = site.writer().retry(Duration::from_millis(5));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
}

async fn robots(site: &Site, stream: &str, number: usize) -> Vec<ByHand> {
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    let robots: Vec<_> = (0..number).map(|_| ByHand::new("robot")).collect();
    add(&mut site.redis.clone(), stream, "*", &robots).await;
    drain(site).await;
    robots
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_listed_noted_and_put_back_under_its_own_key() {
    let (site, stream, _) = one_shard().await;
    let robots = robots(&site, &stream, 3).await;
    let queue = site.queue();

    let page = queue.list_dead(None, 2).await.unwrap();
    let rest = queue.list_dead(Some(page[1].id), 2).await.unwrap();
    assert_eq!((page.len(), rest.len()), (2, 1));
    for (letter, robot) in page.iter().chain(&rest).zip(&robots) {
        assert_eq!((letter.attempts, letter.version), (5, Some(1)));
        assert!(
            letter.error.starts_with("23514: ") && letter.died_at >= letter.occurred_at,
            "{}",
            letter.error
        );
        assert_eq!(letter.parse().unwrap().id, robot.event.to_string());
        assert!(!format!("{letter:?}").contains("robot"), "values are in no log");
        let shown = queue.dead_letter(letter.id).await.unwrap().unwrap();
        assert_eq!((shown.id, shown.payload), (letter.id, robot.payload.clone().into_bytes()));
    }
    let noted: Vec<(uuid::Uuid, String, i32, Vec<u8>)> = sqlx::query_as(
        "SELECT event_id, namespace, attempts, payload FROM cloakroom.session_event_dead ORDER BY 1",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    let expected = |robot: &ByHand| {
        (robot.event.as_uuid(), site.namespace.clone(), 5, robot.payload.clone().into_bytes())
    };
    assert_eq!(noted, robots.iter().map(expected).collect::<Vec<_>>());

    // Put back too early, they die again, and are noted once.
    let first = page[0].id;
    assert!(queue.retry_dead(first).await.unwrap());
    drain(&site).await;
    assert_eq!((queue.dead_letters().await.unwrap(), count(&site.pool, NOTED).await), (3, 3));

    // The table is mended. Two operators put them back at the same time.
    sqlx::query("ALTER TABLE cloakroom.session_event DROP CONSTRAINT only_people")
        .execute(&site.pool)
        .await
        .unwrap();
    let letters = queue.list_dead(None, 100).await.unwrap();
    for letter in &letters {
        let (one, other) = tokio::join!(queue.retry_dead(letter.id), queue.retry_dead(letter.id));
        assert_ne!(one.unwrap(), other.unwrap(), "exactly one of them did it");
    }
    assert_eq!((queue.len().await.unwrap(), queue.dead_letters().await.unwrap()), (3, 0));
    drain(&site).await;
    assert_eq!(check(&site.pool, &acked(&robots)).await, Findings::NONE);
    for letter in &letters {
        let same: bool = sqlx::query_scalar(
            "SELECT (extract(epoch FROM occurred_at) * 1000)::int8 = $2 FROM cloakroom.session_event WHERE stream_id = $1",
        )
        .bind(&letter.stream_id)
        .bind(letter.occurred_at.as_millis() as i64)
        .fetch_one(&site.pool)
        .await
        .unwrap();
        assert!(same, "the row's time is that of the change");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_dropped_by_name_only_and_its_note_stays() {
    let (site, stream, _) = one_shard().await;
    robots(&site, &stream, 2).await;
    let queue = site.queue();
    let letters = queue.list_dead(None, 9).await.unwrap();
    assert!(queue.drop_dead(letters[0].id).await.unwrap());
    assert!(!queue.drop_dead(letters[0].id).await.unwrap());
    assert!(queue.dead_letter(letters[0].id).await.unwrap().is_none());
    let elsewhere: DeadLetterId = "900/1-0".parse().unwrap();
    assert!(!queue.drop_dead(elsewhere).await.unwrap() && !queue.retry_dead(elsewhere).await.unwrap());
    assert_eq!((queue.dead_letters().await.unwrap(), count(&site.pool, NOTED).await), (1, 2));
}

/// As when Redis is full: what can't be put back stays a dead letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_cannot_be_put_back_stays_where_it_is() {
    let (site, stream, _) = one_shard().await;
    robots(&site, &stream, 1).await;
    let queue = site.queue();
    let letter = queue.list_dead(None, 1).await.unwrap().remove(0);
    redis::cmd("SET").arg(&stream).arg("no stream").query_async::<()>(&mut site.redis.clone()).await.unwrap();
    assert!(queue.retry_dead(letter.id).await.is_err());
    assert_eq!(queue.dead_letters().await.unwrap(), 1);
}
