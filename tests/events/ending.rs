//! Whatever stays open is closed when its session is over.

use std::time::Duration;

use cloakroom::{
    manager::SessionConfig,
    record::{EndReason, Ended},
    service::SessionLayer,
    session::Session,
    store::MemoryStore,
};

use crate::world::{PATIENCE, World, apart, sign_in, visit, write};

async fn ended(session: &Session) -> Ended {
    tokio::time::timeout(PATIENCE, session.until_ended()).await.expect("the end should be noticed")
}

pub async fn whoever_waits_learns_why_on_another_instance(world: World) {
    for (how, reason) in [
        ("logout", EndReason::LoggedOut),
        ("revoke", EndReason::RevokedByAdmin),
        ("login", EndReason::Replaced),
        ("prove", EndReason::Replaced),
        ("epoch", EndReason::Epoch),
    ] {
        let cookie = sign_in(&world.here, "alice").await;
        let session = apart(&world.there, &cookie).await;
        let waiting = ended(&session);
        let acting = async {
            // It may come before the other waits: that is noticed, too.
            tokio::task::yield_now().await;
            match how {
                "revoke" => drop(world.admin.revoke_all("alice").await.unwrap()),
                "epoch" => drop(world.admin.revoke_everyone().await.unwrap()),
                _ => {
                    visit(&world.here, &cookie, async |session| match how {
                        "logout" => session.logout(),
                        "login" => session.login("alice"),
                        _ => session.reauthenticate("otp"),
                    })
                    .await;
                }
            }
        };
        let (ended, ()) = tokio::join!(waiting, acting);
        assert_eq!(ended.reason, reason, "{how}");
        // And at once where it is over already.
        let again = session.until_ended().await.reason;
        assert_eq!(again, reason, "{how}");
    }
}

/// Without events, or with every message lost, it is noticed by looking.
pub async fn an_end_is_found_without_events(world: World) {
    let Some(redis) = world.redis else { return quiet_memory().await };
    let config = SessionConfig::default().with_recheck(Duration::from_millis(50)).unwrap();
    let store = cloakroom::store::RedisStore::builder(redis.url()).namespace(&*world.namespace).shards(1);
    let layer = SessionLayer::with_config(store.build().unwrap(), config);
    let cookie = sign_in(&layer, "alice").await;
    let session = apart(&layer, &cookie).await;
    let waiting = tokio::spawn(async move { ended(&session).await });
    visit(&layer, &cookie, async |session| session.logout()).await;
    assert_eq!(waiting.await.unwrap().reason, EndReason::LoggedOut);
}

/// By its timeout, which nobody tells.
async fn quiet_memory() {
    let clock = std::sync::Arc::new(cloakroom::clock::ManualClock::default());
    let config = SessionConfig::default().with_recheck(Duration::from_millis(20)).unwrap();
    let layer = SessionLayer::with_config(MemoryStore::with_clock(clock.clone()), config);
    let cookie = sign_in(&layer, "alice").await;
    let session = apart(&layer, &cookie).await;
    let waiting = tokio::spawn(async move { ended(&session).await });
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!waiting.is_finished());
    clock.advance(Duration::from_secs(3600));
    assert_eq!(waiting.await.unwrap().reason, EndReason::Idle);
}

pub async fn a_renewal_is_no_end(world: World) {
    let cookie = write(&world.here, "", "a").await;
    let session = apart(&world.there, &cookie).await;
    let waiting = tokio::spawn(async move { ended(&session).await });
    let mut cookie = cookie;
    for _ in 0..3 {
        cookie = visit(&world.here, &cookie, async |session| session.renew()).await;
        write(&world.here, &cookie, "b").await;
    }
    assert!(!waiting.is_finished());
    visit(&world.here, &cookie, async |session| session.destroy()).await;
    assert_eq!(waiting.await.unwrap().reason, EndReason::Destroyed);
}

pub async fn waiting_keeps_nothing_alive_and_touching_does(world: World) {
    let cookie = write(&world.here, "", "a").await;
    let session = apart(&world.there, &cookie).await;
    if let Some(redis) = world.redis {
        let key = redis.command(&["KEYS", &format!("{}:*:s:*", world.namespace)]).unwrap();
        let (key, left) = (key.trim(), || redis.command(&["TTL", key.trim()]).unwrap());
        redis.command(&["EXPIRE", key, "100"]).unwrap();
        let looked = tokio::time::timeout(Duration::from_millis(100), session.until_ended()).await;
        assert!(looked.is_err());
        assert!(left().trim().parse::<u32>().unwrap() <= 100);
        assert!(session.touch().await.unwrap());
        assert!(left().trim().parse::<u32>().unwrap() > 3000);
    }
    assert!(session.touch().await.unwrap());
    visit(&world.here, &cookie, async |session| session.logout()).await;
    assert!(!session.touch().await.unwrap());
}
