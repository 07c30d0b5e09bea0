//! Two requests change one session at a time.

use cloakroom::{
    record::{Delta, Version},
    store::{Committed, Policy},
};

use crate::backend::{Backend, a_base_of_another_history, change, is, removal, set, set_watched, values};

pub async fn different_keys_merge(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0"), ("b", "0")]).await;
    assert_eq!(backend.committed(&change(&base, set(&[("a", "1")]))).await, Version::new(2));
    match backend.commit(&change(&base, set_watched(&base, &[("b", "1"), ("c", "1")]))).await {
        Committed::Committed { version, merged: Some(merged), .. } => {
            assert_eq!(version, Version::new(3));
            assert!(is(&values(&merged), &[("a", "1"), ("b", "1"), ("c", "1")]), "{:?}", values(&merged));
            assert_eq!(merged.base.version, version);
        }
        other => panic!("{other:?}"),
    }
    let now = backend.found(at).await;
    assert!(is(&values(&now), &[("a", "1"), ("b", "1"), ("c", "1")]));
    let versions: Vec<_> = now.fields.iter().map(|(_, field)| field.version.get()).collect();
    assert_eq!(versions, [2, 3, 3], "each key has the version at which it changed");
}

pub async fn a_watched_key_conflicts(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0"), ("b", "0")]).await;
    backend.committed(&change(&base, set(&[("a", "1"), ("new", "1")]))).await;
    for key in ["a", "new"] {
        match backend.commit(&change(&base, set_watched(&base, &[(key, "2"), ("b", "2")]))).await {
            Committed::Conflict { keys, current } => {
                assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), [key]);
                assert_eq!(current.base.version, Version::new(2), "the answer holds the present session");
                assert!(is(&values(&current), &[("a", "1"), ("b", "0"), ("new", "1")]));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(is(&values(&backend.found(at).await), &[("a", "1"), ("b", "0"), ("new", "1")]), "all or nothing");
}

pub async fn a_watched_key_that_was_removed_conflicts(backend: Backend) {
    let (_, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, removal("a"))).await;
    let answer = backend.commit(&change(&base, set_watched(&base, &[("a", "1")]))).await;
    assert!(matches!(answer, Committed::Conflict { .. }), "{answer:?}");
}

pub async fn an_unwatched_key_is_overwritten(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, set(&[("a", "1")]))).await;
    backend.committed(&change(&base, set(&[("a", "2")]))).await;
    assert!(is(&values(&backend.found(at).await), &[("a", "2")]));
}

pub async fn strict_conflicts_on_anything(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, set(&[("a", "1")]))).await;
    let mut strict = change(&base, set(&[("b", "1")]));
    strict.policy = Policy::Strict;
    match backend.commit(&strict).await {
        Committed::Conflict { keys, .. } => assert!(keys.is_empty()),
        other => panic!("{other:?}"),
    }
    strict.base = backend.found(at).await.base;
    backend.committed(&strict).await;
}

pub async fn the_last_write_wins_if_told_to(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, set(&[("a", "1"), ("b", "1")]))).await;
    let mut last = change(&base, set_watched(&base, &[("a", "2")]));
    last.policy = Policy::LastWriteWins;
    backend.committed(&last).await;
    assert!(is(&values(&backend.found(at).await), &[("a", "2"), ("b", "1")]));
}

pub async fn clear_removes_what_others_wrote(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, set(&[("b", "1")]))).await;
    let clear = Delta { clear: true, ..set(&[("c", "1")]) };
    backend.committed(&change(&base, clear)).await;
    let now = backend.found(at).await;
    assert!(is(&values(&now), &[("c", "1")]));
    assert_eq!(now.created_at, base.created_at, "the session itself stays");
}

pub async fn a_forked_base_conflicts(backend: Backend) {
    let (at, base) = backend.create(&[("a", "0")]).await;
    backend.committed(&change(&base, set(&[("a", "1")]))).await;
    let now = backend.found(at).await;
    // As after a failover: the version number exists, but it was made by another event.
    for stranger in [&base, &now] {
        let mut fork = change(stranger, set(&[("b", "1")]));
        fork.base = a_base_of_another_history(stranger);
        assert!(matches!(backend.commit(&fork).await, Committed::Conflict { .. }));
    }
    let mut ahead = change(&now, set(&[("b", "1")]));
    ahead.base.version = Version::new(9);
    assert!(matches!(backend.commit(&ahead).await, Committed::Conflict { .. }));
    assert!(is(&values(&backend.found(at).await), &[("a", "1")]));
}

/// A repeat must be told from a first try: further behind than the history, a commit is answered with the
/// session as it is, and whether it can have happened before.
pub async fn too_far_behind_changes_nothing(backend: Backend) {
    let (at, base) = backend.create(&[]).await;
    let mut now = base.clone();
    for n in 0..300 {
        backend.committed(&change(&now, set(&[("n", &n.to_string())]))).await;
        now = backend.found(at).await;
        if n == 200 {
            let behind = backend.commit(&change(&base, set(&[("late", "1")]))).await;
            assert!(matches!(behind, Committed::Committed { .. }), "a burst is remembered: {behind:?}");
            now = backend.found(at).await;
        }
    }
    match backend.commit(&change(&base, set(&[("late", "2")]))).await {
        Committed::Behind { current, never } => {
            assert_eq!(current.base, now.base);
            assert!(!never, "the history is full: who knows");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(backend.found(at).await.base, now.base);
}

pub async fn thirty_two_writers_of_different_keys(backend: Backend) {
    let (at, base) = backend.create(&[]).await;
    let writers = (0..32).map(|n| {
        let (store, commit) = (backend.store.clone(), change(&base, set(&[(&format!("k{n}"), "1")])));
        tokio::spawn(async move { cloakroom::store::SessionStore::commit(&store, &commit).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert!(matches!(writer.await.unwrap().unwrap(), Committed::Committed { .. }));
    }
    let now = backend.found(at).await;
    assert_eq!((now.fields.len(), now.base.version), (32, Version::new(33)));
}
