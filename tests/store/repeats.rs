//! A change whose reply was lost is asked for again, and happens once.

use cloakroom::{
    id::EventId,
    record::{EndReason, Version},
    store::{Committed, Created, Finished, SessionStore as _},
};

use crate::backend::{Backend, beside, change, creation, ending, is, set, set_watched, values};

pub async fn a_repeated_create_is_the_same_session(backend: Backend) {
    let create = creation(&[("a", "1")]);
    let first = backend.store.create(&create).await.unwrap();
    assert!(matches!(first, Created::Created { .. }));
    assert_eq!(backend.store.create(&create).await.unwrap(), first);
    assert_eq!(backend.found(create.at).await.base.version, Version::new(1));
}

pub async fn a_repeated_commit_happens_once(backend: Backend) {
    let (at, base) = backend.create(&[("n", "0")]).await;
    let mine = change(&base, set_watched(&base, &[("n", "1")]));
    assert_eq!(backend.committed(&mine).await, Version::new(2));
    assert_eq!(backend.committed(&mine).await, Version::new(2), "the first answer again");

    let now = backend.found(at).await;
    let other = change(&now, set(&[("n", "7")]));
    assert_eq!(backend.committed(&other).await, Version::new(3));
    assert_eq!(backend.committed(&mine).await, Version::new(2), "even behind somebody else's");
    assert!(is(&values(&backend.found(at).await), &[("n", "7")]));
}

/// The ids of the last events stand one behind the other, and somebody else's may hold the same bytes across two.
pub async fn an_event_is_no_repeat_of_the_halves_of_two_others(backend: Backend) {
    let id =
        |half: &[u8; 8], rest: &[u8; 8]| EventId::from_bytes([*half, *rest].concat().try_into().unwrap());
    let (at, base) = backend.create(&[("n", "0")]).await;
    for (version, tail) in (2..).zip([b"aaaabbbb", b"ccccdddd", b"bbbbcccc"]) {
        let mut commit = change(&base, set(&[(&format!("n{version}"), "1")]));
        commit.event = id(b"the time", tail);
        assert_eq!(backend.committed(&commit).await, Version::new(version));
        assert_eq!(backend.committed(&commit).await, Version::new(version), "and this is one");
    }
    assert_eq!(values(&backend.found(at).await).len(), 4);
}

/// Otherwise whoever asked goes on with old values under a new version, and writes over the others unnoticed.
pub async fn a_repeated_commit_tells_what_others_wrote(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    backend.committed(&change(&base, set(&[("a", "2")]))).await;
    let to = beside(at);
    for renewal in [None, Some(crate::backend::renewal(to))] {
        let mut mine = change(&base, set(&[("b", "3")]));
        mine.renewal = renewal;
        for reply in ["lost", "read"] {
            match backend.commit(&mine).await {
                Committed::Committed { merged: Some(record), .. } => {
                    assert!(is(&values(&record), &[("a", "2"), ("b", "3")]), "{reply}: {record:?}");
                }
                other => panic!("{reply}: {other:?}"),
            }
        }
    }
}

pub async fn a_repeated_end_answers_the_same_fields(backend: Backend) {
    let (at, _) = backend.create(&[("cart", "[1]")]).await;
    let mut end = ending(at, EndReason::Replaced);
    end.keep_fields = true;
    let first = backend.end(&end).await;
    match &first {
        Finished::Ended { fields, event, .. } => {
            assert_eq!((fields.len(), *event), (1, end.event));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(backend.end(&end).await, first);
    end.event = EventId::new();
    assert!(matches!(backend.end(&end).await, Finished::Gone(_)), "another call has not ended it");
}

pub async fn a_repeated_renewal_happens_once(backend: Backend) {
    let (at, base) = backend.create(&[("n", "0")]).await;
    let to = beside(at);
    let mut renew = change(&base, set(&[("n", "1")]));
    renew.renewal = Some(crate::backend::renewal(to));
    for _ in 0..2 {
        assert_eq!(backend.committed(&renew).await, Version::new(2));
    }
    assert_eq!(backend.found(to).await.base.version, Version::new(2));
}
