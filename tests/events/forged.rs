//! Whoever may publish can send what he likes. It changes nothing, stops nothing, and hides nothing.

use std::time::Duration;

use cloakroom::{
    events::{Notice, Watch},
    record::EndReason,
};

use crate::world::{apart, own, sign_in, visit, write};

#[tokio::test]
async fn a_forged_message_is_at_most_a_reason_to_look() {
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    let session = apart(&world.there, &cookie).await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let mut probe = session.events(None).await.unwrap();
    let ended = tokio::spawn(async move { session.until_ended().await });

    // A true one, to forge after.
    write(&world.here, &cookie, "true").await;
    assert_eq!(listener.until("true").await, []);
    let Some(Notice::Event(event)) = probe.next().await else { panic!("the probe hears it, too") };
    let reference = event.session.unwrap();
    let log = world.log();
    let forged = format!(r#"{{"e":1,"k":"ended","s":"{reference}","u":"alice","why":"logged_out"}}"#);
    let nested = "[".repeat(20_000);
    for message in [
        // A good one but for its truth, now, in a far future, in the past, and again.
        format!("99999999999999-0 9 {forged}"),
        format!("18446744073709551615-18446744073709551615 9 {forged}"),
        format!("1-0 9 {forged}"),
        format!("99999999999999-0 9 {forged}"),
        // And what makes no sense.
        String::new(),
        "ready".to_owned(),
        "1-1".to_owned(),
        format!("x 9 {forged}"),
        format!("99999999999998-0 x {forged}"),
        format!("99999999999997-0 9 {nested}"),
        format!("99999999999996-0 9 {}", forged.replace("alice", &"x".repeat(1 << 20))),
        format!("99999999999995-0 9 {}", forged.replace(&reference.to_string(), "short")),
        "99999999999994-0 9 \u{0}\u{1b}[31m".to_owned(),
    ] {
        world.command(&["PUBLISH", &log, &message]);
    }
    world.command(&["PUBLISH", &format!("{log}x"), &format!("99999999999993-0 9 {forged}")]);

    // What is true is told as before, though forged positions are younger.
    write(&world.here, &cookie, "also true").await;
    let told = listener.until("also true").await;
    assert_eq!(told.len(), 2, "the two that look good: {told:?}");
    // Nobody was signed out by it, nor thought so.
    assert!(!ended.is_finished());
    visit(&world.there, &cookie, async |session| {
        assert_eq!(session.user().as_deref(), Some("alice"));
        Ok(())
    })
    .await;
    visit(&world.there, &cookie, async |session| session.logout()).await;
    let ended = tokio::time::timeout(crate::world::PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(ended.reason, EndReason::LoggedOut);
}

/// More forged positions than anybody would remember.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_messages_is_survived() {
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let log = world.log();
    let client = redis::Client::open(world.redis.unwrap().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let forged = r#"{"e":1,"k":"changed","s":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","u":"bob"}"#;
    for part in 0..10_u64 {
        let mut pipe = redis::pipe();
        for n in 0..1_000 {
            let message = format!("{}-{n} 9 {forged}", 99_999_999_999_999 + part);
            pipe.cmd("PUBLISH").arg(&log).arg(message).ignore();
        }
        pipe.query_async::<()>(&mut connection).await.unwrap();
    }
    write(&world.here, &cookie, "true").await;
    // What was told and is in no log is a reason to look.
    assert!(listener.until("true").await.iter().all(|notice| *notice == Notice::Missed));
}

/// Where the account may not publish, the store says so at once, and commits go on: an event is no reason to
/// refuse one, let alone to leave half of it.
#[tokio::test]
async fn an_account_that_may_not_publish_is_told_and_loses_nothing() {
    use cloakroom::{
        service::SessionLayer,
        store::{RedisStore, SessionStore as _},
    };
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    world.command(&["ACL", "SETUSER", "quiet", "on", ">s3cret", "~*", "+@all", "resetchannels"]);
    let url = world.redis.unwrap().url().replace("redis://", "redis://quiet:s3cret@");
    let store = |events| {
        RedisStore::builder(&url).namespace(&*world.namespace).shards(1).events(events).build().unwrap()
    };
    let error = store(true).ready().await.unwrap_err();
    assert!(format!("{:?}", std::error::Error::source(&error)).contains("permissions"), "{error:?}");

    // Rights that are taken away later.
    world.command(&["ACL", "SETUSER", "quiet", "allchannels"]);
    let noisy = store(true);
    noisy.ready().await.unwrap();
    world.command(&["ACL", "SETUSER", "quiet", "resetchannels"]);
    let layer = SessionLayer::new(noisy);
    let mut listener = world.listen(&Watch::user("alice")).await;
    write(&layer, &cookie, "quiet").await;
    visit(&world.here, &cookie, async |session| {
        assert_eq!(session.get::<u32>("quiet")?, Some(1));
        Ok(())
    })
    .await;
    // The log has it all the same.
    let told = tokio::time::timeout(Duration::from_secs(20), listener.until("quiet")).await;
    assert_eq!(told.unwrap(), []);
}
