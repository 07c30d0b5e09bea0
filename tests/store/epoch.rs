//! The epoch: everything at once.

use std::collections::BTreeSet;

use cloakroom::{
    record::EndReason,
    store::{CapPolicy, Committed, Created, Loaded, Raise, SessionStore as _, Touch},
};

use crate::{
    backend::{Any, Backend, IDLE, beside, change, renewal, set},
    users::{begin, cap, list, over, sign_in, somebody},
};

pub async fn what_was_before_is_void(backend: Backend) {
    let user = somebody();
    let mut before = Vec::new();
    for _ in 0..8 {
        before.push(backend.create(&[("a", "1")]).await.0);
    }
    let signed_in = sign_in(&user, cap(1, CapPolicy::Reject));
    begin(&backend, &signed_in).await;
    let first = backend.store.raise_epoch(&Raise::default()).await.unwrap();
    assert!(list(&backend, &user).await.is_empty());
    let next = sign_in(&user, cap(1, CapPolicy::Reject));
    begin(&backend, &next).await;
    assert_eq!(list(&backend, &user).await.len(), 1, "the void don't count");
    for at in before.iter().chain([&signed_in.at]) {
        assert_eq!(over(&backend, *at).await, Some(EndReason::Epoch));
    }
    let (after, _) = backend.create(&[("a", "1")]).await;
    assert_eq!((over(&backend, after).await, over(&backend, next.at).await), (None, None));
    assert!(backend.store.raise_epoch(&Raise::default()).await.unwrap() > first);
    assert_eq!(over(&backend, after).await, Some(EndReason::Epoch));
    assert_eq!(over(&backend, next.at).await, Some(EndReason::Epoch));
}

/// In the middle of two hundred requests; also one that would move its session to a new key.
pub async fn a_request_under_way_commits_nothing(backend: Backend) {
    let (at, record) = backend.create(&[("a", "1")]).await;
    let mut late = change(&record, set(&[("a", "2")]));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = backend.store.clone();
            tokio::spawn(async move {
                if n == 100 {
                    store.raise_epoch(&Raise::default()).await.unwrap();
                    return None;
                }
                let create = crate::backend::creation(&[("a", "1")]);
                assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
                let before = store.load(create.at, Touch::Refresh, IDLE).await.unwrap();
                Some((create.at, matches!(before, Loaded::Found(_))))
            })
        })
        .collect();
    for task in tasks {
        if let Some((at, false)) = task.await.unwrap() {
            assert_eq!(over(&backend, at).await, Some(EndReason::Epoch), "once void, always void");
        }
    }
    for to in [None, Some(renewal(beside(at)))] {
        late.renewal = to;
        match backend.commit(&late).await {
            Committed::Gone(ended) => assert_eq!(ended.reason, EndReason::Epoch),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn the_trail_tells_it_once_for_each_shard(backend: Backend) {
    let raises: Vec<_> = (0..2)
        .map(|_| {
            let store = backend.store.clone();
            tokio::spawn(async move { store.raise_epoch(&Raise::default()).await.unwrap() })
        })
        .collect();
    let mut epochs = BTreeSet::new();
    for raise in raises {
        epochs.insert(raise.await.unwrap());
    }
    let Any::Memory(store) = &backend.store else { return };
    let trail = store.trail();
    assert_eq!(trail.len(), 64 * epochs.len());
    let mut told = BTreeSet::new();
    for entry in &trail {
        let payload = entry.parse().unwrap();
        assert_eq!((&*payload.kind, &*payload.reference), ("epoch", ""));
        assert!(epochs.contains(&entry.version.get()));
        assert!(told.insert((entry.shard, entry.version)));
    }
}

/// Two at a time, and a script that runs twice: one entry for each shard and number.
#[tokio::test]
async fn the_queue_has_one_entry_for_each_shard() {
    let server = servers::Redis::start().unwrap();
    let store = cloakroom::store::RedisStore::builder(server.url()).audit(true).build().unwrap();
    let (one, other) = tokio::join!(async { store.raise_epoch(&Raise::default()).await.unwrap() }, async {
        store.raise_epoch(&Raise::default()).await.unwrap()
    });
    let keys = server.command(&["KEYS", "*:epoch"]).unwrap();
    assert_eq!(keys.lines().count(), 64);
    let highest = one.max(other);
    for key in keys.lines() {
        assert_eq!(server.command(&["GET", key]).unwrap(), highest.to_string());
        let stream = key.replace(":epoch", ":audit");
        let entries = if one == other { "1" } else { "2" };
        assert_eq!(server.command(&["XLEN", &stream]).unwrap(), entries);
    }
    // After a restore from an old copy, the numbers may differ.
    let some = keys.lines().next().unwrap();
    server.command(&["SET", some, "41"]).unwrap();
    assert_eq!(store.raise_epoch(&Raise::default()).await.unwrap(), 42);
    for key in keys.lines() {
        assert_eq!(server.command(&["GET", key]).unwrap(), "42");
    }
}
