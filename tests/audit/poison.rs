//! What a visitor can put into a session, and rows that the table refuses.

use std::time::Duration;

use crate::{
    checker::{Findings, check},
    site::{Site, count, shared, until},
    traffic::{Acked, ByHand, add},
};

/// A namespace with one shard, and the names of its stream and its dead letters.
pub async fn one_shard() -> (Site, String, String) {
    let site = shared(1).await;
    let traffic = crate::traffic::Traffic::start(&site.store, 1, 1, Duration::from_secs(3600));
    until("the stream is there", async || traffic.acked() == 1).await;
    drop(traffic);
    let stream = site.keys("audit").await.remove(0);
    redis::cmd("XTRIM")
        .arg(&stream)
        .arg("MAXLEN")
        .arg(0)
        .query_async::<()>(&mut site.redis.clone())
        .await
        .unwrap();
    let dead = stream.replace(":audit", ":dead");
    (site, stream, dead)
}

pub fn acked(entries: &[ByHand]) -> Vec<Acked> {
    entries.iter().map(ByHand::acked).collect()
}

#[tokio::test]
async fn whatever_a_session_can_hold_is_stored_at_the_first_attempt() {
    let (site, stream, _) = one_shard().await;
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let large = format!("\"{}\"", "x".repeat(300 * 1024));
    let raw: Vec<ByHand> = [
        r#""a\u0000b""#,
        r#""\ud800""#,
        r#"{"k\u0000":1}"#,
        "1e400000",
        "-1E-400000",
        &"9".repeat(200_000),
        &deep,
        &large,
    ]
    .map(|value| ByHand::new("alice").with(r#"["tea"]"#, value))
    .into();
    let odd: Vec<ByHand> = vec![
        ByHand::new("a\0b"),
        ByHand::new(&"x".repeat(10_000)),
        ByHand::new("alice").with(r#""changed""#, "\"chan\\u0000ged\""),
    ];
    let fine: Vec<ByHand> = [r#""\\u0000""#, "123456789012345678901234567890.5"]
        .map(|value| ByHand::new("alice").with(r#"["tea"]"#, value))
        .into();
    // `jsonb` takes these and writes them otherwise, so the bytes are kept beside it.
    let reworded: Vec<ByHand> =
        [r#""\ud83d\ude00""#, "1e300"].map(|value| ByHand::new("alice").with(r#"["tea"]"#, value)).into();
    let unreadable: Vec<ByHand> = ["", "{", "\u{1}\u{2}", r#"{"schema":99}"#, "[1,2"]
        .map(|payload| ByHand { payload: payload.into(), ..ByHand::new("alice") })
        .into();
    let everything: Vec<ByHand> =
        [raw.clone(), odd.clone(), fine.clone(), reworded.clone(), unreadable.clone()].concat();
    add(&mut site.redis.clone(), &stream, "*", &everything).await;

    let writer = site.writer().retry(Duration::from_secs(3600));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.stored, report.dead), (everything.len() as u64, 0));

    let of_flags = |flags: i16| {
        let rows = sqlx::query_scalar("SELECT count(*) FROM cloakroom.session_event WHERE flags = $1");
        rows.bind(flags).fetch_one(&site.pool)
    };
    let (untouched, as_bytes, altered): (i64, i64, i64) =
        (of_flags(0).await.unwrap(), of_flags(1).await.unwrap(), of_flags(2).await.unwrap());
    assert_eq!((untouched, as_bytes, altered), (fine.len() as i64, raw.len() as i64, odd.len() as i64));
    assert_eq!(of_flags(4).await.unwrap(), reworded.len() as i64);
    for entry in raw.iter().chain(&odd).chain(&reworded) {
        let kept: Vec<u8> =
            sqlx::query_scalar("SELECT delta_raw FROM cloakroom.session_event WHERE event_id = $1")
                .bind(entry.event.as_uuid())
                .fetch_one(&site.pool)
                .await
                .unwrap();
        assert_eq!(kept, entry.payload.as_bytes());
    }
    let unreadable_rows =
        "SELECT count(*) FROM cloakroom.session_event WHERE kind = 'unreadable' AND delta_raw IS NOT NULL";
    assert_eq!(count(&site.pool, unreadable_rows).await, unreadable.len() as i64);
}

pub const ONLY_PEOPLE: &str =
    "ALTER TABLE cloakroom.session_event ADD CONSTRAINT only_people CHECK (user_id <> 'robot')";

#[tokio::test]
async fn a_refused_row_does_not_hold_up_the_others() {
    let (site, stream, _) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    let entries: Vec<_> =
        (0..700).map(|n| ByHand::new(if n % 100 == 7 { "robot" } else { "alice" })).collect();
    add(&mut site.redis.clone(), &stream, "*", &entries).await;

    let writer = site.writer().retry(Duration::from_secs(3600));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("the others are stored", async || site.rows().await == 693).await;
    assert_eq!((site.queue().len().await.unwrap(), site.queue().dead_letters().await.unwrap()), (7, 0));
    // And those that come later.
    add(&mut site.redis.clone(), &stream, "*", &[ByHand::new("bob")]).await;
    until("the next is stored", async || site.rows().await == 694).await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.stored, report.dead, report.flushed), (694, 0, true));
}

#[tokio::test]
async fn a_row_that_is_refused_five_times_is_a_dead_letter_and_can_come_back() {
    let (site, stream, dead) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    let (people, robots): (Vec<_>, Vec<_>) =
        ((0..200).map(|_| ByHand::new("alice")).collect(), (0..3).map(|_| ByHand::new("robot")).collect());
    for (people, robot) in people.chunks(70).zip(&robots) {
        add(&mut site.redis.clone(), &stream, "*", people).await;
        add(&mut site.redis.clone(), &stream, "*", std::slice::from_ref(robot)).await;
    }

    let writer = site.writer().retry(Duration::from_millis(5));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    assert_eq!(check(&site.pool, &acked(&people)).await, Findings::NONE);
    assert_eq!(site.queue().dead_letters().await.unwrap(), 3);

    type Letters = Vec<(String, std::collections::HashMap<String, Vec<u8>>)>;
    let letters: Letters =
        redis::cmd("XRANGE").arg(&dead).arg("-").arg("+").query_async(&mut site.redis.clone()).await.unwrap();
    for ((_, letter), robot) in letters.iter().zip(&robots) {
        let text = |name: &str| String::from_utf8_lossy(&letter[name]).into_owned();
        assert_eq!((text("n"), text("v"), text("e")), ("5".into(), "1".into(), robot.payload.clone()));
        assert_eq!(letter["p"], robot.predecessor.as_bytes());
        assert!(text("err").contains("23514") && text("err").len() <= 500, "{}", text("err"));
        assert!(text("id").contains('-'));
    }

    // The operator mends the table and puts them back, twice by mistake: their time is that of the change.
    sqlx::query("ALTER TABLE cloakroom.session_event DROP CONSTRAINT only_people")
        .execute(&site.pool)
        .await
        .unwrap();
    for (_, letter) in letters.iter().chain(&letters) {
        let mut back = redis::cmd("XADD");
        back.arg(&stream).arg("*");
        for name in ["v", "p", "e", "id"] {
            back.arg(name).arg(&letter[name]);
        }
        back.query_async::<()>(&mut site.redis.clone()).await.unwrap();
    }
    site.until_drained().await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.stored, report.duplicates, report.dead), (203, 3, 3));
    assert_eq!(check(&site.pool, &acked(&[people, robots].concat())).await, Findings::NONE);
    for (_, letter) in &letters {
        let id = String::from_utf8_lossy(&letter["id"]).into_owned();
        let same: bool = sqlx::query_scalar(
            "SELECT occurred_at = timestamptz 'epoch' + split_part($1, '-', 1)::int8 * interval '1 millisecond'
             FROM cloakroom.session_event WHERE stream_id = $1",
        )
        .bind(id)
        .fetch_one(&site.pool)
        .await
        .unwrap();
        assert!(same);
    }
}

/// A dead stream that cannot be written must not turn a dead letter into a lost one.
#[tokio::test]
async fn a_letter_that_cannot_be_buried_stays_in_the_queue() {
    let (site, stream, dead) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    redis::cmd("SET").arg(&dead).arg("no stream").query_async::<()>(&mut site.redis.clone()).await.unwrap();
    add(&mut site.redis.clone(), &stream, "*", &[ByHand::new("robot"), ByHand::new("alice")]).await;

    let writer = site.writer().retry(Duration::from_millis(1));
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("the other is stored", async || site.rows().await == 1).await;
    until("a burial failed", async || {
        let info: String =
            redis::cmd("INFO").arg("errorstats").query_async(&mut site.redis.clone()).await.unwrap();
        info.contains("errorstat_WRONGTYPE")
    })
    .await;
    assert_eq!(site.queue().len().await.unwrap(), 1);
    redis::cmd("DEL").arg(&dead).query_async::<()>(&mut site.redis.clone()).await.unwrap();
    site.until_drained().await;
    assert_eq!(site.queue().dead_letters().await.unwrap(), 1);
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 1);
}
