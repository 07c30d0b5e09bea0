//! What was missed is caught up, or said to be missed.

use cloakroom::events::{EventPosition, Notice, Watch};

use crate::world::{Listener, World, own, sign_in, visit, write};

pub async fn a_reader_that_was_away_goes_on_where_it_was(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let other = sign_in(&world.here, "bob").await;
    write(&world.here, &cookie, "seen").await;
    let position = listener.event().await.position;
    drop(listener);
    for key in ["a", "b", "c"] {
        write(&world.here, &cookie, key).await;
        write(&world.here, &other, key).await;
    }
    // As it comes back from a browser.
    let position: EventPosition = position.to_string().parse().unwrap();
    let mut listener = world.listen(&Watch::user("alice").since(Some(position))).await;
    write(&world.there, &cookie, "d").await;
    for key in ["a", "b", "c", "d"] {
        assert_eq!(listener.event().await.keys, [key]);
    }
}

pub async fn a_position_that_is_too_old_is_told_so(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    write(&world.here, &cookie, "seen").await;
    let position = listener.event().await.position.to_string();
    let (shard, _) = position.split_once('-').unwrap();
    // Before there was anything.
    let position: EventPosition = format!("{shard}-1-0").parse().unwrap();
    if world.redis.is_none() && world.namespace.is_empty() {
        // The log in memory is complete until a thousand events have passed.
        for _ in 0..1_000 {
            visit(&world.here, &cookie, async |session| session.increment("n", 1)).await;
        }
    }
    let mut listener = world.listen(&Watch::user("alice").since(Some(position))).await;
    assert_eq!(listener.notice().await, Notice::Missed);
}

pub async fn a_place_in_another_log_is_told_to_be_no_place(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    write(&world.here, &cookie, "seen").await;
    let position = listener.event().await.position;
    let text = position.to_string();
    let (shard, place) = text.split_once('-').unwrap();
    let other = if shard == "0" { "1" } else { "0" };
    let elsewhere: EventPosition = format!("{other}-{place}").parse().unwrap();
    for watch in [Watch::user("alice").since(Some(elsewhere)), Watch::all().since(Some(position))] {
        let mut listener = world.listen(&watch).await;
        assert_eq!(listener.notice().await, Notice::Missed, "{watch:?}");
        write(&world.there, &cookie, "next").await;
        assert_eq!(listener.event().await.keys, ["next"], "{watch:?}");
    }
}

/// The connection for messages is closed again and again, as a restart of a proxy does.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_connection_swallowed_is_caught_up_in_order() {
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let changes = async {
        for n in 0..400 {
            if n % 20 == 0 {
                world.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
            visit(&world.here, &cookie, async |session| session.increment("n", 1)).await;
        }
    };
    let read = async {
        for version in 2..=401 {
            assert_eq!(listener.event().await.version.get(), version);
        }
    };
    tokio::join!(changes, read);
    write(&world.here, &cookie, "last").await;
    assert_eq!(listener.until("last").await, []);
}

/// A message can be lost without a lost connection: on the way from one node of a cluster to another.
#[tokio::test]
async fn an_event_whose_message_was_lost_is_found_in_the_log() {
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    // The same, without `PUBLISH`.
    let template = r#"{"e":1,"k":"changed","s":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","u":"alice","keys":["quiet"]}"#;
    world.command(&["XADD", &world.log(), "*", "v", "7", "e", template]);
    assert_eq!(listener.until("quiet").await, []);
    // With one that is younger and was heard, it comes too late to be in order, and that is said.
    world.command(&["XADD", &world.log(), "*", "v", "8", "e", &template.replace("quiet", "late")]);
    write(&world.here, &cookie, "heard").await;
    assert_eq!(listener.until("heard").await, []);
    assert_eq!(listener.until("late").await, [Notice::Missed]);
}

#[tokio::test]
async fn what_the_log_does_not_hold_any_more_is_told_to_be_missed() {
    let world = own();
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    write(&world.here, &cookie, "heard").await;
    assert_eq!(listener.until("heard").await, []);
    // As if ten thousand had followed; and as after a flush, or a failover to an empty replica.
    world.command(&["XTRIM", &world.log(), "MAXLEN", "0"]);
    assert_eq!(listener.notice().await, Notice::Missed);
    let cookie = sign_in(&world.here, "alice").await;
    let before = listener.until_signed_in().await;
    assert!(before.is_empty(), "{before:?}");
    world.command(&["FLUSHALL"]);
    assert_eq!(listener.notice().await, Notice::Missed);
    let _ = cookie;
}

/// Nothing is told twice, and nothing is lost, while Redis is killed and comes back with what it had.
#[tokio::test(flavor = "multi_thread")]
async fn listening_goes_on_after_redis_was_gone() {
    let redis = Box::leak(Box::new(servers::Redis::durable().unwrap()));
    // Only this test holds it.
    let server: &'static servers::Redis = redis;
    let world = crate::world::on(server);
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    write(&world.here, &cookie, "before").await;
    assert_eq!(listener.until("before").await, []);
    server.pause().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    server.resume().unwrap();
    world.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    write(&world.here, &cookie, "after").await;
    assert_eq!(listener.until("after").await, []);
}

/// Whoever has left is forgotten, by Redis too.
#[tokio::test]
async fn a_subscription_ends_when_it_is_dropped() {
    let world = own();
    let channels = || world.command(&["PUBSUB", "CHANNELS"]).trim().to_owned();
    assert_eq!(channels(), "");
    let first = world.listen(&Watch::user("alice")).await;
    let second = world.listen(&Watch::user("alice")).await;
    assert_ne!(channels(), "");
    drop(first);
    drop(second);
    let begun = std::time::Instant::now();
    while !channels().is_empty() {
        assert!(begun.elapsed() < crate::world::PATIENCE, "still subscribed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // And it begins again.
    let mut again = world.listen(&Watch::user("alice")).await;
    sign_in(&world.here, "alice").await;
    again.event().await;
}

impl Listener {
    /// What is told before a sign-in.
    async fn until_signed_in(&mut self) -> Vec<Notice> {
        let mut before = Vec::new();
        loop {
            match self.notice().await {
                Notice::Event(event) if event.kind == cloakroom::audit::EntryKind::SignedIn => return before,
                other => before.push(other),
            }
        }
    }
}
