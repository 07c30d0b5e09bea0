//! How sessions end, and that they stay ended.

use cloakroom::{
    record::{EndReason, Version},
    store::{Committed, Finished, Loaded, SessionStore as _},
};

use crate::backend::{Backend, beside, change, ending, is, set, values};

pub async fn an_end_is_final(backend: Backend) {
    let (at, _) = backend.create(&[("a", "1")]).await;
    let ended = backend.end(&ending(at, EndReason::LoggedOut)).await;
    assert!(matches!(&ended, Finished::Ended { fields, .. } if fields.is_empty()), "{ended:?}");
    for _ in 0..2 {
        match backend.load(at).await {
            Loaded::Ended(ended) => {
                assert_eq!(ended.reason, EndReason::LoggedOut);
                assert!(ended.at.is_some());
            }
            other => panic!("{other:?}"),
        }
    }
}

pub async fn an_end_has_one_winner(backend: Backend) {
    let (at, _) = backend.create(&[("a", "1")]).await;
    let enders = (0..16).map(|_| {
        let (store, end) = (backend.store.clone(), ending(at, EndReason::Replaced));
        tokio::spawn(async move { store.end(&end).await.unwrap() })
    });
    let mut winners = 0;
    for ender in enders.collect::<Vec<_>>() {
        match ender.await.unwrap() {
            Finished::Ended { .. } => winners += 1,
            Finished::Gone(ended) => assert_eq!(ended.reason, EndReason::Replaced),
            Finished::Moved(_) => panic!("nobody moved it"),
        }
    }
    assert_eq!(winners, 1);
}

/// CVE-2025-46336 and a dozen issues elsewhere: a slow request saves a session that was signed out.
pub async fn a_commit_after_the_end_revives_nothing(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let _ = backend.end(&ending(at, EndReason::LoggedOut)).await;
    let mut late = change(&base, set(&[("a", "2")]));
    for renewal in [None, Some(crate::backend::renewal(beside(at)))] {
        late.renewal = renewal;
        match backend.commit(&late).await {
            Committed::Gone(ended) => assert_eq!(ended.reason, EndReason::LoggedOut),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(backend.load(at).await, Loaded::Ended(_)));
}

pub async fn a_renewed_session_is_found_by_both(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let to = beside(at);
    let mut renew = change(&base, set(&[("b", "2")]));
    renew.renewal = Some(crate::backend::renewal(to));
    backend.committed(&renew).await;

    let by_old = backend.found(at).await;
    assert!(by_old.superseded);
    assert_eq!(by_old.address, to, "what the old token changes goes to the new place");
    let by_new = backend.found(to).await;
    assert!(!by_new.superseded);
    assert!(is(&values(&by_new), &[("a", "1"), ("b", "2")]));
    assert_eq!(
        (by_new.base, by_new.created_at, by_new.deadline),
        (by_old.base, base.created_at, base.deadline)
    );

    backend.committed(&change(&by_old, set(&[("c", "3")]))).await;
    assert!(is(&values(&backend.found(to).await), &[("a", "1"), ("b", "2"), ("c", "3")]));
}

pub async fn a_commit_at_the_old_address_is_told_where_to_go(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let to = beside(at);
    let mut renew = change(&base, set(&[]));
    renew.renewal = Some(crate::backend::renewal(to));
    backend.committed(&renew).await;

    let mut late = change(&base, set(&[("b", "2")]));
    assert_eq!(backend.commit(&late).await, Committed::Moved(to));
    late.at = to;
    assert_eq!(backend.committed(&late).await, Version::new(3), "and it merges there");

    let mut second = change(&base, set(&[]));
    second.renewal = Some(crate::backend::renewal(beside(at)));
    assert_eq!(backend.commit(&second).await, Committed::Moved(to), "of two renewals one wins");
}

pub async fn the_old_address_ends_the_successor_by_its_new_one(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let to = beside(at);
    let mut renew = change(&base, set(&[]));
    renew.renewal = Some(crate::backend::renewal(to));
    backend.committed(&renew).await;

    let mut end = ending(at, EndReason::LoggedOut);
    assert_eq!(backend.end(&end).await, Finished::Moved(to));
    end.at = to;
    assert!(matches!(backend.end(&end).await, Finished::Ended { .. }));
    assert!(matches!(backend.load(at).await, Loaded::Ended(_)), "the old token leads nowhere now");
    assert!(matches!(backend.load(to).await, Loaded::Ended(_)));
}
