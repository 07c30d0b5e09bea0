//! What the bridge promises, and what it says that it can't.

use serde_json::{Value, json};
use time::Duration;
use tower_sessions::{Expiry, SessionStore as _, session_store::Error};

use crate::{
    backend::Backend,
    browser::{app, visit},
    contract::record,
};

pub async fn a_late_save_revives_nothing(backend: Backend) {
    let mut late = record(json!({"user": "alice"}), Duration::HOUR);
    backend.store.create(&mut late).await.unwrap();
    backend.store.delete(&late.id).await.unwrap();
    let never = record(json!({"user": "mallory"}), Duration::HOUR);
    for (record, reason) in [(&late, "destroyed"), (&never, "unknown")] {
        match backend.store.save(record).await {
            Err(Error::Backend(text)) => assert!(text.contains(reason), "{text}"),
            other => panic!("saved: {other:?}"),
        }
        assert_eq!(backend.store.load(&record.id).await.unwrap(), None);
    }
}

/// Two tabs: one signs out while the other is still at work. tower-sessions' own stores answer 200 here,
/// and the session is back.
pub async fn a_request_that_spans_a_logout_is_refused(backend: Backend) {
    use axum::routing::get;
    use tower_sessions::{Session, SessionManagerLayer};

    let app = app(&backend, Some(Expiry::OnInactivity(Duration::HOUR)));
    let cookie = visit(&app, "", "/put/user/1").await.pair();
    let (other, held) = (app.clone(), cookie.clone());
    let slow = axum::Router::new()
        .route(
            "/slow",
            get(async move |session: Session| {
                let seen: Option<u64> = session.get("user").await.unwrap();
                assert_eq!(visit(&other, &held, "/flush").await.status, 200);
                session.insert("seen", seen).await.unwrap();
            }),
        )
        .layer(SessionManagerLayer::new(backend.store.clone()));
    let page = visit(&slow, &cookie, "/slow").await;
    assert_eq!((page.status, page.cookie), (500, None));
    assert_eq!(visit(&app, &cookie, "/show/user").await.text, "null");
}

/// What the page of the bridge says plainly: the other's change is lost, but never mixed in.
pub async fn of_two_saves_the_later_is_there_as_a_whole(backend: Backend) {
    let mut base = record(json!({"a": 0, "b": 0}), Duration::HOUR);
    backend.store.create(&mut base).await.unwrap();
    let (mut one, mut two) = (base.clone(), base.clone());
    one.data.insert("a".to_owned(), json!(1));
    two.data.insert("b".to_owned(), json!(2));
    backend.store.save(&one).await.unwrap();
    backend.store.save(&two).await.unwrap();
    assert_eq!(backend.store.load(&base.id).await.unwrap(), Some(two));
    // Under a crowd, too, each record that can be seen is one that somebody saved.
    let writers = (0..16_u64).map(|n| {
        let (store, mut record) = (backend.store.clone(), base.clone());
        tokio::spawn(async move {
            for round in 0..8_u64 {
                let mark = json!(n * 100 + round);
                record.data = [("a".to_owned(), mark.clone()), ("b".to_owned(), mark.clone())].into();
                record.data.insert(format!("by {n}"), mark);
                store.save(&record).await.unwrap();
                let seen = store.load(&record.id).await.unwrap().unwrap();
                assert!(seen.data.len() == 3 && seen.data["a"] == seen.data["b"], "{:?}", seen.data);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

pub async fn the_trail_tells_which_keys_changed(mut backend: Backend) {
    backend.store = backend.store.clone().with_secret_keys(["otp"]);
    let mut record = record(json!({"same": 1, "changed": 1, "gone": 1}), Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    record.data = [("same", json!(1)), ("changed", json!(2)), ("otp", json!("123456"))]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
    backend.store.save(&record).await.unwrap();
    backend.store.delete(&record.id).await.unwrap();
    let trail: Vec<Value> =
        backend.trail().iter().map(|entry| serde_json::from_str(entry).unwrap()).collect();
    let kinds: Vec<_> = trail.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "changed", "ended"]);
    assert_eq!(trail[1]["set"], json!({"changed": 2}));
    assert_eq!(trail[1]["removed"], json!(["gone"]));
    assert_eq!(trail[1]["secret"], json!(["otp"]));
    assert_eq!(trail[2]["reason"], "destroyed");
    assert!(trail[0]["set"][":meta"].as_str().unwrap().ends_with('Z'), "{}", trail[0]);
}
