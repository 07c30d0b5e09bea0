//! Beginning, being used, running out.

use std::time::Duration;

use cloakroom::{
    record::{EndReason, Version},
    store::{Created, Loaded, SessionStore as _, SignIn, Touch},
};

use crate::backend::{Backend, IDLE, address, change, creation, is, set, values};

pub async fn a_session_is_created_and_found(backend: Backend) {
    let mut create = creation(&[("cart", "[1]"), ("note", "\"hi\"")]);
    create.sign_in =
        Some(SignIn { user: "alice".to_owned(), method: Some("passkey".to_owned()), listing: None });
    create.device = Some("phone".to_owned());
    assert!(matches!(backend.store.create(&create).await.unwrap(), Created::Created { .. }));

    let record = backend.found(create.at).await;
    assert_eq!(record.base.version, Version::new(1));
    assert_eq!(record.base.head, create.event);
    assert_eq!(record.address, create.at);
    assert_eq!(record.user.as_deref(), Some("alice"));
    let authentication = record.authentication.clone().unwrap();
    assert_eq!((authentication.at, authentication.method.as_deref()), (record.created_at, Some("passkey")));
    assert_eq!(record.device.as_deref(), Some("phone"));
    assert_eq!(record.deadline.since(record.created_at), create.absolute);
    assert!(record.expires_in <= IDLE && record.expires_in > IDLE - Duration::from_secs(60));
    assert!(is(&values(&record), &[("cart", "[1]"), ("note", "\"hi\"")]));
    assert!(record.fields.iter().all(|(_, field)| field.version == Version::new(1)));
}

pub async fn an_unknown_address_is_missing_and_stays_so(backend: Backend) {
    let at = address();
    assert_eq!(backend.load(at).await, Loaded::Missing);
    assert_eq!(backend.load(at).await, Loaded::Missing);
}

pub async fn a_load_refreshes_and_a_peek_does_not(backend: Backend) {
    let (at, _) = backend.create(&[("a", "1")]).await;
    let short = Duration::from_millis(400);
    assert!(matches!(backend.store.load(at, Touch::Refresh, short).await.unwrap(), Loaded::Found(_)));
    backend.pass(Duration::from_millis(250)).await;
    match backend.store.load(at, Touch::Peek, short).await.unwrap() {
        Loaded::Found(record) => assert!(record.expires_in <= Duration::from_millis(150), "{record:?}"),
        // A busy machine may have slept for longer than it was asked to.
        other => assert_eq!(other, Loaded::Missing),
    }
    backend.pass(Duration::from_millis(200)).await;
    assert_eq!(backend.load(at).await, Loaded::Missing, "a peek is no activity");

    let (at, _) = backend.create(&[("a", "1")]).await;
    let long = Duration::from_secs(30);
    assert!(matches!(
        backend.store.load(at, Touch::Refresh, Duration::from_millis(900)).await.unwrap(),
        Loaded::Found(_)
    ));
    assert!(matches!(backend.store.load(at, Touch::Refresh, long).await.unwrap(), Loaded::Found(_)));
    backend.pass(Duration::from_secs(1)).await;
    assert!(matches!(backend.load(at).await, Loaded::Found(_)), "a load restarts the idle timeout");
}

pub async fn nothing_answers_past_the_deadline(backend: Backend) {
    let mut create = creation(&[("a", "1")]);
    create.absolute = Duration::from_millis(600);
    assert!(matches!(backend.store.create(&create).await.unwrap(), Created::Created { .. }));
    let record = backend.found(create.at).await;
    assert!(record.expires_in <= create.absolute);
    backend.pass(Duration::from_millis(700)).await;

    let late = change(&record, set(&[("a", "2")]));
    match backend.commit(&late).await {
        cloakroom::store::Committed::Gone(ended) => assert_eq!(ended.reason, EndReason::Absolute),
        other => panic!("{other:?}"),
    }
    for _ in 0..2 {
        match backend.load(create.at).await {
            Loaded::Ended(ended) => assert_eq!(ended.reason, EndReason::Absolute),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn an_address_is_used_once(backend: Backend) {
    let (at, record) = backend.create(&[("a", "1")]).await;
    let mut second = creation(&[("a", "2")]);
    second.at = at;
    assert_eq!(backend.store.create(&second).await.unwrap(), Created::Taken);
    assert_eq!(backend.found(at).await.base, record.base, "nothing was overwritten");

    let end = crate::backend::ending(at, EndReason::LoggedOut);
    assert!(matches!(backend.end(&end).await, cloakroom::store::Finished::Ended { .. }));
    assert_eq!(backend.store.create(&second).await.unwrap(), Created::Taken, "not even after its end");
}
