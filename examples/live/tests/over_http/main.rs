//! Open connections over HTTP: two instances on one Redis, by each framework, as a stream and as a WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod connection;
mod world;

use std::{collections::BTreeMap, time::Duration};

use cloakroom::store::Revoked;
use connection::{Connection, Heard, Kind};
use world::{Framework, NEVER, ORIGIN, World};

/// Each test with each framework.
macro_rules! by_each_framework {
    ($($test:ident),* $(,)?) => {
        mod axum {
            $(#[tokio::test] async fn $test() { super::$test(super::Framework::Axum).await })*
        }
        mod actix {
            $(#[tokio::test] async fn $test() { super::$test(super::Framework::Actix).await })*
        }
    };
}

by_each_framework![
    a_sign_out_elsewhere_closes_with_its_reason,
    a_page_that_was_away_goes_on_where_it_was,
    a_lost_subscription_loses_nothing,
    an_end_that_nobody_told_is_found,
    a_message_costs_no_command,
    a_beat_keeps_the_session_alive,
    nobody_and_other_sites_are_refused,
    whoever_does_not_answer_is_left,
];

async fn a_sign_out_elsewhere_closes_with_its_reason(framework: Framework) {
    let world = World::new(framework, NEVER, NEVER).await;
    for kind in Kind::BOTH {
        let cookie = world.sign_in("alice").await;
        let other = world.sign_in("alice").await;
        let mut mine = Connection::open(kind, &world.here, &cookie, None).await;
        let mut others = Connection::open(kind, &world.here, &other, None).await;
        assert_eq!((mine.next().await, others.next().await), (Heard::Look, Heard::Look));
        world.post(&world.there, "/sign-out", &cookie).await;
        assert_eq!(mine.end().await, "logged_out", "{kind:?}");
        // The other device's goes on, and hears of it.
        while !matches!(others.next().await, Heard::Change { kind, .. } if kind == "ended") {}
        assert_eq!(world.admin.revoke_all("alice").await.unwrap(), Revoked::Revoked(1));
        assert_eq!(others.end().await, "revoked_by_admin", "{kind:?}");
        assert_eq!(world.status(&world.here, "/events", &cookie).await, 401, "and does not come back");
    }
}

async fn a_page_that_was_away_goes_on_where_it_was(framework: Framework) {
    let world = World::new(framework, NEVER, NEVER).await;
    for kind in Kind::BOTH {
        let cookie = world.sign_in("alice").await;
        let mut page = Connection::open(kind, &world.here, &cookie, None).await;
        assert_eq!(page.next().await, Heard::Look);
        world.post(&world.there, "/note", &cookie).await;
        let (version, mut last) = page.change().await;
        assert_eq!(version, 2);
        drop(page);
        // Written while it is away, before it is back, and after; and away again at another instance.
        for round in 0..3 {
            let (away, back) = match round % 2 {
                0 => (&world.here, &world.there),
                _ => (&world.there, &world.here),
            };
            for _ in 0..3 {
                world.post(away, "/note", &cookie).await;
            }
            let mut page = Connection::open(kind, back, &cookie, Some(&last)).await;
            for _ in 0..2 {
                world.post(away, "/note", &cookie).await;
            }
            for step in 0..5 {
                let (version, id) = page.change().await;
                assert_eq!(version, 3 + round * 5 + step, "{kind:?}, round {round}");
                last = id;
            }
        }
        // What can't be resumed says so.
        let (shard, _) = last.split_once('-').unwrap();
        for unknown in ["garbage", "", &format!("{shard}-1-0")] {
            let mut page = Connection::open(kind, &world.here, &cookie, Some(unknown)).await;
            assert_eq!(page.next().await, Heard::Look, "{kind:?}, {unknown:?}");
        }
    }
}

async fn a_lost_subscription_loses_nothing(framework: Framework) {
    let world = World::new(framework, NEVER, NEVER).await;
    for kind in Kind::BOTH {
        let cookie = world.sign_in("alice").await;
        let mut page = Connection::open(kind, &world.here, &cookie, None).await;
        assert_eq!(page.next().await, Heard::Look);
        world.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
        world.post(&world.there, "/note", &cookie).await;
        assert_eq!(page.change().await.0, 2, "{kind:?}");
        world.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
        world.post(&world.there, "/sign-out", &cookie).await;
        assert_eq!(page.end().await, "logged_out", "{kind:?}");
    }
}

/// By an instance whose store tells no events: neither a message nor the log has it.
async fn an_end_that_nobody_told_is_found(framework: Framework) {
    let world = World::new(framework, Duration::from_millis(50), NEVER).await;
    for kind in Kind::BOTH {
        let cookie = world.sign_in("alice").await;
        let mut page = Connection::open(kind, &world.here, &cookie, None).await;
        assert_eq!(page.next().await, Heard::Look);
        world.post(&world.silent, "/sign-out", &cookie).await;
        assert_eq!(page.end().await, "logged_out", "{kind:?}");
    }
}

async fn a_message_costs_no_command(framework: Framework) {
    let world = World::new(framework, NEVER, NEVER).await;
    let cookie = world.sign_in("alice").await;
    let mut page = Connection::open(Kind::Socket, &world.here, &cookie, None).await;
    assert_eq!(page.next().await, Heard::Look);
    world.redis.reset_stats().unwrap();
    for _ in 0..100 {
        page.say("hello").await;
        assert_eq!(page.next().await, Heard::Echo("hello".to_owned()));
    }
    let mut calls = world.redis.command_calls();
    // What goes on beside it, such as reading the log every few seconds, does so however much is said.
    calls.retain(|_, calls| *calls >= 10);
    assert_eq!(calls, BTreeMap::new());
}

async fn a_beat_keeps_the_session_alive(framework: Framework) {
    let world = World::new(framework, NEVER, Duration::from_millis(100)).await;
    for kind in Kind::BOTH {
        let user = format!("{kind:?}");
        let cookie = world.sign_in(&user).await;
        let mut page = Connection::open(kind, &world.here, &cookie, None).await;
        assert_eq!(page.next().await, Heard::Look);
        let keys = world.redis.command(&["KEYS", "*:s:*"]).unwrap();
        for key in keys.split_whitespace() {
            world.redis.command(&["EXPIRE", key, "100"]).unwrap();
        }
        world.redis.reset_stats().unwrap();
        let touched = async {
            let left = |key| world.redis.command(&["TTL", key]).unwrap().trim().parse::<i64>().unwrap();
            while !keys.split_whitespace().any(|key| left(key) > 1000) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // A socket's client answers pings while somebody reads.
        tokio::select! {
            heard = page.next() => panic!("{heard:?}"),
            () = world::within(touched) => {}
        }
        let calls = world.redis.command_calls();
        let written: Vec<_> =
            calls.keys().filter(|name| matches!(&***name, "evalsha" | "hset" | "xadd")).collect();
        assert!(written.is_empty(), "a touch is no change: {calls:?}");
    }
}

async fn nobody_and_other_sites_are_refused(framework: Framework) {
    let world = World::new(framework, NEVER, NEVER).await;
    let cookie = world.sign_in("alice").await;
    for path in ["/events", "/socket"] {
        assert_eq!(world.status(&world.here, path, "").await, 401, "{path}");
    }
    let here = &world.here;
    assert_eq!(connection::handshake(here, &cookie, Some(ORIGIN)).await, 101);
    assert_eq!(connection::handshake(here, "", Some(ORIGIN)).await, 401);
    for other in [Some("https://evil.example"), Some("https://shop.example.evil.example"), Some("null"), None]
    {
        assert_eq!(connection::handshake(here, &cookie, other).await, 403, "{other:?}");
    }
}

/// A client that is gone without a word would keep its session alive.
async fn whoever_does_not_answer_is_left(framework: Framework) {
    let world = World::new(framework, NEVER, Duration::from_millis(50)).await;
    let cookie = world.sign_in("alice").await;
    let page = connection::deaf(&world.here, &cookie).await;
    // The end of what the server sends, read byte by byte: no ping is answered.
    world::within(connection::to_the_end(page)).await;
}
