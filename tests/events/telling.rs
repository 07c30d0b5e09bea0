//! What is told, to whom, in which order.

use cloakroom::{
    audit::EntryKind,
    events::{Notice, Watch},
    record::EndReason,
};

use crate::world::{Listener, World, apart, sign_in, visit, write};

/// Whose kind, keys and user it was.
async fn line(listener: &mut Listener) -> String {
    let event = listener.event().await;
    let user = event.user.as_deref().unwrap_or("-");
    let reason = event.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{} {} {user} {}{reason}", event.version, event.kind, event.keys.join(","))
}

pub async fn every_change_is_told_with_what_it_was(world: World) {
    let mut listener = world.listen(&Watch::all()).await;
    let visitor = write(&world.here, "", "cart").await;
    assert_eq!(line(&mut listener).await, "1 created - cart");
    let steps = async |session: cloakroom::session::Session| {
        session.insert("b", &1)?;
        session.remove("cart")?;
        session.increment("n", 1)
    };
    visit(&world.here, &visitor, steps).await;
    assert_eq!(line(&mut listener).await, "2 changed - b,cart,n");
    let user = visit(&world.here, &visitor, async |session| session.login("alice")).await;
    assert_eq!(line(&mut listener).await, "3 ended -  replaced");
    assert_eq!(line(&mut listener).await, "1 signed_in alice ");
    let user = visit(&world.here, &user, async |session| session.renew()).await;
    assert_eq!(line(&mut listener).await, "2 renewed alice ");
    let user = visit(&world.here, &user, async |session| session.reauthenticate("otp")).await;
    assert_eq!(line(&mut listener).await, "3 reauthenticated alice ");
    visit(&world.here, &user, async |session| session.clear()).await;
    let cleared = listener.event().await;
    assert_eq!((cleared.kind, cleared.more, cleared.keys.len()), (EntryKind::Changed, true, 0));
    visit(&world.here, &user, async |session| session.logout()).await;
    assert_eq!(line(&mut listener).await, "5 ended alice  logged_out");
    // A read, and a request of nobody, tell nothing.
    visit(&world.here, "", async |session| session.get::<u32>("a").map(drop)).await;
    write(&world.here, "", "last").await;
    assert_eq!(line(&mut listener).await, "1 created - last");
}

pub async fn a_user_hears_of_his_own_sessions_only(world: World) {
    let mut alice = world.listen(&Watch::user("alice")).await;
    let mut bob = world.listen(&Watch::user("bob")).await;
    let of_alice = sign_in(&world.here, "alice").await;
    let of_bob = sign_in(&world.here, "bob").await;
    write(&world.there, &of_alice, "a").await;
    write(&world.there, &of_bob, "b").await;
    for (listener, user, key) in [(&mut alice, "alice", "a"), (&mut bob, "bob", "b")] {
        assert_eq!(line(listener).await, format!("1 signed_in {user} "));
        assert_eq!(line(listener).await, format!("2 changed {user} {key}"));
    }
    assert_eq!(world.admin.revoke_all("alice").await.unwrap(), cloakroom::store::Revoked::Revoked(1));
    assert_eq!(line(&mut alice).await, "3 ended alice  revoked_by_admin");
}

pub async fn a_session_is_followed_through_its_renewal(world: World) {
    let cookie = write(&world.here, "", "a").await;
    let session = apart(&world.there, &cookie).await;
    let mut events = Listener(session.events(None).await.unwrap());
    for _ in 0..3 {
        write(&world.here, "", "of others").await;
    }
    let renewed = visit(&world.here, &cookie, async |session| session.renew()).await;
    let first = events.event().await;
    assert_eq!((first.kind, first.version.get()), (EntryKind::Renewed, 2));
    write(&world.here, &renewed, "b").await;
    let second = events.event().await;
    assert_eq!((second.session, &*second.keys), (first.successor, &["b".to_owned()][..]));
    visit(&world.here, &renewed, async |session| session.destroy()).await;
    assert_eq!(events.event().await.reason, Some(EndReason::Destroyed));
}

pub async fn the_epoch_is_told_to_everybody(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let session = apart(&world.here, &cookie).await;
    let mut events = Listener(session.events(None).await.unwrap());
    let mut user = Listener(session.user_events(None).await.unwrap());
    world.admin.revoke_everyone().await.unwrap();
    for listener in [&mut events, &mut user] {
        let event = listener.event().await;
        assert_eq!((event.kind, event.session), (EntryKind::Epoch, None));
    }
}

/// From both instances, and on one session, whose versions tell the order.
pub async fn hundreds_of_changes_come_in_order_and_once(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let changes = async {
        for n in 0..200 {
            let instance = if n % 2 == 0 { &world.here } else { &world.there };
            visit(instance, &cookie, async |session| session.increment("n", 1)).await;
        }
    };
    let read = async {
        for version in 2..=201 {
            assert_eq!(listener.event().await.version.get(), version);
        }
    };
    tokio::join!(changes, read);
    write(&world.here, &cookie, "last").await;
    assert_eq!(listener.until("last").await, []);
}

pub async fn a_reader_that_is_too_slow_is_told_so(world: World) {
    let cookie = sign_in(&world.here, "alice").await;
    let mut listener = world.listen(&Watch::user("alice")).await;
    let mut quick = world.listen(&Watch::user("alice")).await;
    for version in 2..=400 {
        visit(&world.here, &cookie, async |session| session.increment("n", 1)).await;
        assert_eq!(quick.event().await.version.get(), version, "one that is slow holds up nobody");
    }
    // What it holds, and that it does not hold all.
    assert_eq!(listener.notice().await, Notice::Missed);
    for version in 2..=257 {
        assert_eq!(listener.event().await.version.get(), version);
    }
    write(&world.here, &cookie, "last").await;
    assert_eq!(listener.until("last").await, []);
}

pub async fn neither_values_nor_tokens_are_told(world: World) {
    let mut listener = world.listen(&Watch::all()).await;
    let cookie = visit(&world.here, "", async |session| session.insert("key", &"c4n4ry")).await;
    let renewed = visit(&world.here, &cookie, async |session| {
        session.push_capped("list", &"c4n4ry", 3)?;
        session.renew()
    })
    .await;
    let mut told = String::new();
    for _ in 0..2 {
        told += &format!("{:?}", listener.event().await);
    }
    if world.redis.is_some() {
        told += &world.command(&["XRANGE", &world.log(), "-", "+"]);
    }
    assert!(told.contains("list"), "{told}");
    for secret in [&cookie, &renewed] {
        assert!(!told.contains(secret.split('=').nth(1).unwrap()));
    }
    assert!(!told.contains("c4n4ry"), "{told}");
}
