//! All sessions of a user: listed, counted, ended.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use cloakroom::{
    id::{Address, EventId, SessionHandle, ShardCount},
    record::{EndReason, SessionInfo},
    store::{
        Anew, CapPolicy, Committed, Create, Created, Finished, Generation, Listing, Loaded, Reserved,
        Revocation, Revoked, SessionCap, SessionStore as _, SignIn, Touch, Which,
    },
};

use crate::backend::{Any, Backend, IDLE, address, beside, change, creation, ending, renewal, set};

/// A user of this test alone.
pub fn somebody() -> String {
    format!("user-{}", EventId::new())
}

pub fn cap(limit: u32, policy: CapPolicy) -> Option<SessionCap> {
    Some(SessionCap { limit: NonZeroU32::new(limit).unwrap(), policy })
}

pub fn sign_in(user: &str, cap: Option<SessionCap>) -> Create {
    let mut create = creation(&[("a", "1")]);
    create.at = Address { shard: ShardCount::default().of_user(user), ..address() };
    create.device = Some("a browser".to_owned());
    create.sign_in = Some(SignIn {
        user: user.to_owned(),
        method: Some("password".to_owned()),
        listing: Some(Listing {
            handle: SessionHandle::random().unwrap(),
            address: Some("203.0.113.0/24".to_owned()),
            cap,
            began: None,
            replaces: None,
            remember: IDLE,
        }),
    });
    create
}

fn listing(create: &mut Create) -> &mut Listing {
    create.sign_in.as_mut().unwrap().listing.as_mut().unwrap()
}

fn handle(create: &Create) -> SessionHandle {
    create.sign_in.as_ref().unwrap().listing.as_ref().unwrap().handle
}

pub async fn begin(backend: &Backend, create: &Create) {
    let created = backend.store.create(create).await.unwrap();
    assert!(matches!(created, Created::Created { .. }), "{created:?}");
}

pub async fn list(backend: &Backend, user: &str) -> Vec<SessionInfo> {
    backend.store.sessions_of(user).await.unwrap()
}

async fn handles(backend: &Backend, user: &str) -> BTreeSet<SessionHandle> {
    list(backend, user).await.into_iter().map(|info| info.handle).collect()
}

fn revocation(user: &str, which: Which) -> Revocation {
    Revocation {
        user: user.to_owned(),
        event: EventId::new(),
        which,
        reason: EndReason::RevokedByAdmin,
        by: None,
        device: None,
        remember: IDLE,
        context: Default::default(),
    }
}

pub async fn revoke(backend: &Backend, user: &str, which: Which) -> Revoked {
    backend.store.revoke(&revocation(user, which)).await.unwrap()
}

/// Why the session is over; `None` while it lives.
pub async fn over(backend: &Backend, at: Address) -> Option<EndReason> {
    match backend.load(at).await {
        Loaded::Found(_) => None,
        Loaded::Ended(ended) => Some(ended.reason),
        other => panic!("{other:?}"),
    }
}

/// All kinds of the trail's entries about this session, with the reason of an end.
#[track_caller]
fn trail(backend: &Backend, at: Address) -> Option<Vec<(String, Option<String>)>> {
    let Any::Memory(store) = &backend.store else { return None };
    let reference = at.reference.to_string();
    let entries = store.trail();
    let ours = entries.iter().filter_map(|entry| entry.parse()).filter(|entry| entry.reference == reference);
    Some(ours.map(|entry| (entry.kind.into_owned(), entry.reason)).collect())
}

pub async fn twenty_sign_ins_at_a_time_list_twenty(backend: Backend) {
    let user = somebody();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, create) = (backend.store.clone(), sign_in(&user, None));
            tokio::spawn(async move {
                assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
                handle(&create)
            })
        })
        .collect();
    let mut expected = BTreeSet::new();
    for task in tasks {
        expected.insert(task.await.unwrap());
    }
    assert_eq!(handles(&backend, &user).await, expected);
    assert_eq!(expected.len(), 20);
    assert!(list(&backend, &somebody()).await.is_empty());
}

pub async fn a_list_tells_what_may_be_told(backend: Backend) {
    let user = somebody();
    let create = sign_in(&user, None);
    begin(&backend, &create).await;
    begin(&backend, &create).await;
    let sessions = list(&backend, &user).await;
    let [info] = sessions.as_slice() else { panic!("a repeat is not listed twice: {sessions:?}") };
    let record = backend.found(create.at).await;
    assert_eq!(record.handle, Some(info.handle));
    assert_eq!(
        (info.created_at, Some(&info.authentication)),
        (record.created_at, record.authentication.as_ref())
    );
    assert_eq!(
        (info.device.as_deref(), info.address.as_deref()),
        (Some("a browser"), Some("203.0.113.0/24"))
    );
    assert!(info.last_seen.since(info.created_at) < Duration::from_secs(60) && !info.current);

    backend.pass(Duration::from_millis(300)).await;
    let before = list(&backend, &user).await[0].last_seen;
    assert!(before.since(info.created_at) < Duration::from_millis(250), "a list is no use of the session");
    let _ = backend.found(create.at).await;
    assert!(list(&backend, &user).await[0].last_seen.since(info.created_at) >= Duration::from_millis(300));
    let peek = backend.store.load(create.at, Touch::Peek, IDLE).await.unwrap();
    assert!(matches!(peek, Loaded::Found(_)));
}

/// B14: a list is shown to browsers.
pub async fn a_list_holds_no_secret(backend: Backend) {
    let user = somebody();
    let create = sign_in(&user, None);
    begin(&backend, &create).await;
    let text = format!("{:?}", list(&backend, &user).await);
    assert!(text.contains(&handle(&create).to_string()));
    let reference = create.at.reference.to_string();
    for part in reference.as_bytes().windows(6) {
        assert!(!text.contains(std::str::from_utf8(part).unwrap()), "a part of the ref in {text}");
    }
    assert!(!text.contains(&user));
}

pub async fn an_end_leaves_the_list(backend: Backend) {
    let user = somebody();
    let (first, second) = (sign_in(&user, None), sign_in(&user, None));
    begin(&backend, &first).await;
    begin(&backend, &second).await;
    let mut end = ending(first.at, EndReason::LoggedOut);
    end.user = Some(user.clone());
    assert!(matches!(backend.end(&end).await, Finished::Ended { .. }));
    assert!(matches!(backend.end(&end).await, Finished::Ended { .. }), "a repeat");
    assert_eq!(handles(&backend, &user).await, [handle(&second)].into());
    end = ending(second.at, EndReason::Replaced);
    (end.user, end.keep_fields) = (Some(user.clone()), true);
    assert!(matches!(backend.end(&end).await, Finished::Ended { .. }));
    assert!(list(&backend, &user).await.is_empty());
}

pub async fn what_ran_out_is_not_listed(backend: Backend) {
    let user = somebody();
    let mut idle = sign_in(&user, None);
    idle.idle = Duration::from_millis(300);
    let mut absolute = sign_in(&user, None);
    absolute.absolute = Duration::from_millis(400);
    let lasting = sign_in(&user, None);
    for create in [&lasting, &idle, &absolute] {
        begin(&backend, create).await;
    }
    assert_eq!(list(&backend, &user).await.len(), 3);
    backend.pass(Duration::from_millis(600)).await;
    for _ in 0..2 {
        assert_eq!(handles(&backend, &user).await, [handle(&lasting)].into());
    }
    assert_eq!(revoke(&backend, &user, Which::One(handle(&idle))).await, Revoked::NotFound);
}

pub async fn a_renewal_keeps_its_handle(backend: Backend) {
    let user = somebody();
    let create = sign_in(&user, None);
    begin(&backend, &create).await;
    let before = list(&backend, &user).await;
    let (mut at, mut record) = (create.at, backend.found(create.at).await);
    for method in [None, Some("otp"), None] {
        let mut renew = change(&record, set(&[]));
        (renew.user, renew.renewal) = (Some(user.clone()), Some(renewal(beside(at))));
        let by = SignIn { user: user.clone(), method: method.map(str::to_owned), listing: None };
        let to = renew.renewal.as_mut().unwrap();
        to.anew = method.map(|_| Anew { sign_in: by, absolute: 2 * IDLE });
        at = to.to;
        backend.committed(&renew).await;
        record = backend.found(at).await;
        assert_eq!(record.handle, Some(handle(&create)));
    }
    let after = list(&backend, &user).await;
    assert_eq!((after.len(), after[0].handle), (1, before[0].handle));
    assert_eq!(after[0].authentication.method.as_deref(), Some("otp"));
    assert_eq!(after[0].address, before[0].address);
    assert_eq!(revoke(&backend, &user, Which::One(handle(&create))).await, Revoked::Revoked(1));
    assert_eq!(over(&backend, at).await, Some(EndReason::RevokedByAdmin), "under its new token");
    assert_eq!(over(&backend, create.at).await, Some(EndReason::Replaced));
}

/// B15. On Redis each of them is a client of its own.
pub async fn a_hundred_sign_ins_leave_three(backend: Backend) {
    for policy in [CapPolicy::EvictOldest, CapPolicy::EvictLeastRecentlyUsed, CapPolicy::Reject] {
        let user = somebody();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (store, create) = (backend.store.clone(), sign_in(&user, cap(3, policy)));
                tokio::spawn(async move { (store.create(&create).await.unwrap(), create) })
            })
            .collect();
        let (mut alive, mut evicted, mut rejected) = (BTreeSet::new(), 0, 0);
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        for (created, create) in answers {
            match created {
                Created::Rejected => {
                    rejected += 1;
                    assert_eq!(backend.load(create.at).await, Loaded::Missing);
                }
                Created::Created { .. } => match over(&backend, create.at).await {
                    None => assert!(alive.insert(handle(&create))),
                    Some(reason) => {
                        assert_eq!(reason, EndReason::Evicted);
                        evicted += 1;
                    }
                },
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(alive.len(), 3, "{policy:?}");
        assert_eq!(handles(&backend, &user).await, alive);
        let all_rejected = policy == CapPolicy::Reject;
        assert_eq!((evicted, rejected), if all_rejected { (0, 97) } else { (97, 0) }, "{policy:?}");
    }
}

pub async fn the_oldest_or_the_least_used_gives_way(backend: Backend) {
    for (policy, victim) in [(CapPolicy::EvictOldest, 0), (CapPolicy::EvictLeastRecentlyUsed, 1)] {
        let user = somebody();
        let creates: Vec<_> = (0..4).map(|_| sign_in(&user, cap(3, policy))).collect();
        for create in &creates[..3] {
            begin(&backend, create).await;
            backend.pass(Duration::from_millis(20)).await;
        }
        let record = backend.found(creates[0].at).await;
        let late = change(&backend.found(creates[victim].at).await, set(&[("a", "2")]));
        if victim == 1 {
            backend.pass(Duration::from_millis(20)).await;
            let _ = (backend.found(creates[2].at).await, backend.found(record.address).await);
        }
        begin(&backend, &creates[3]).await;
        for (n, create) in creates.iter().enumerate() {
            let expected = (n == victim).then_some(EndReason::Evicted);
            assert_eq!(over(&backend, create.at).await, expected, "{policy:?} {n}");
        }
        match backend.commit(&late).await {
            Committed::Gone(ended) => assert_eq!(ended.reason, EndReason::Evicted),
            other => panic!("{other:?}"),
        }
        if let Some(trail) = trail(&backend, creates[victim].at) {
            let ended = ("ended".to_owned(), Some("evicted".to_owned()));
            assert_eq!(trail, [("signed_in".to_owned(), None), ended]);
        }
        begin(&backend, &creates[3]).await;
        assert_eq!(list(&backend, &user).await.len(), 3, "a repeat evicts nobody");
    }
}

pub async fn the_dead_do_not_count(backend: Backend) {
    let user = somebody();
    for _ in 0..2 {
        let mut create = sign_in(&user, cap(2, CapPolicy::Reject));
        create.idle = Duration::from_millis(100);
        begin(&backend, &create).await;
    }
    backend.pass(Duration::from_millis(300)).await;
    let last = sign_in(&user, cap(2, CapPolicy::Reject));
    begin(&backend, &last).await;
    begin(&backend, &sign_in(&user, cap(2, CapPolicy::Reject))).await;
    let one_more = sign_in(&user, cap(2, CapPolicy::Reject));
    assert_eq!(backend.store.create(&one_more).await.unwrap(), Created::Rejected);
    assert_eq!(over(&backend, last.at).await, None);
    // A lower cap is kept from the next sign-in on.
    begin(&backend, &sign_in(&user, cap(1, CapPolicy::EvictOldest))).await;
    assert_eq!(list(&backend, &user).await.len(), 1);
}

pub async fn a_place_is_held_for_a_sign_in_under_way(backend: Backend) {
    let user = somebody();
    let mut first = sign_in(&user, cap(1, CapPolicy::Reject));
    let second = sign_in(&user, cap(1, CapPolicy::Reject));
    for _ in 0..2 {
        assert!(
            matches!(backend.store.reserve(&first).await.unwrap(), Reserved::Reserved(_)),
            "and a repeat"
        );
    }
    assert_eq!(backend.store.reserve(&second).await.unwrap(), Reserved::Rejected);
    assert_eq!(backend.store.create(&second).await.unwrap(), Created::Rejected);
    assert!(list(&backend, &user).await.is_empty(), "a place is no session");
    begin(&backend, &first).await;
    assert_eq!(list(&backend, &user).await.len(), 1);

    // A sign-in of the same user with that very session takes its own place.
    let mut again = sign_in(&user, cap(1, CapPolicy::Reject));
    assert_eq!(backend.store.reserve(&again).await.unwrap(), Reserved::Rejected);
    listing(&mut again).replaces = Some(first.at.reference);
    assert!(matches!(backend.store.reserve(&again).await.unwrap(), Reserved::Reserved(_)));
    listing(&mut first).cap = None;
}

pub async fn another_users_handle_names_nothing(backend: Backend) {
    let (alice, mallory) = (somebody(), somebody());
    let (hers, his) = (sign_in(&alice, None), sign_in(&mallory, None));
    begin(&backend, &hers).await;
    begin(&backend, &his).await;
    let unknown = SessionHandle::random().unwrap();
    for handle in [handle(&hers), unknown] {
        assert_eq!(revoke(&backend, &mallory, Which::One(handle)).await, Revoked::NotFound);
        assert_eq!(revoke(&backend, &somebody(), Which::One(handle)).await, Revoked::NotFound);
    }
    assert_eq!((over(&backend, hers.at).await, over(&backend, his.at).await), (None, None));
    let mut by_nobody = revocation(&alice, Which::All);
    by_nobody.by = Some(handle(&his));
    assert_eq!(backend.store.revoke(&by_nobody).await.unwrap(), Revoked::Gone, "not one of her sessions");
    assert_eq!(over(&backend, hers.at).await, None);
}

pub async fn one_others_all(backend: Backend) {
    let user = somebody();
    let creates: Vec<_> = (0..5).map(|_| sign_in(&user, None)).collect();
    for create in &creates {
        begin(&backend, create).await;
    }
    let late = change(&backend.found(creates[0].at).await, set(&[("a", "2")]));
    assert_eq!(revoke(&backend, &user, Which::One(handle(&creates[0]))).await, Revoked::Revoked(1));
    assert_eq!(revoke(&backend, &user, Which::One(handle(&creates[0]))).await, Revoked::NotFound);
    match backend.commit(&late).await {
        Committed::Gone(ended) => assert_eq!(ended.reason, EndReason::RevokedByAdmin),
        other => panic!("{other:?}"),
    }
    if let Some(trail) = trail(&backend, creates[0].at) {
        assert_eq!(trail[1..], [("ended".to_owned(), Some("revoked_by_admin".to_owned()))]);
    }
    let mut others = revocation(&user, Which::Others(handle(&creates[4])));
    others.by = Some(handle(&creates[4]));
    assert_eq!(backend.store.revoke(&others).await.unwrap(), Revoked::Revoked(3));
    assert_eq!(handles(&backend, &user).await, [handle(&creates[4])].into());
    assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(1));
    assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(0));
    for create in &creates {
        assert_eq!(over(&backend, create.at).await, Some(EndReason::RevokedByAdmin));
    }
    begin(&backend, &sign_in(&user, None)).await;
    assert_eq!(list(&backend, &user).await.len(), 1, "a sign-in that begins afterwards");
}

/// B13: a sign-in that had begun is revoked with the rest.
pub async fn a_sign_in_under_way_is_revoked(backend: Backend) {
    for (policy, which) in [
        (None, Which::All),
        (cap(3, CapPolicy::EvictOldest), Which::All),
        (cap(3, CapPolicy::Reject), Which::Others(SessionHandle::random().unwrap())),
    ] {
        let user = somebody();
        let mut create = sign_in(&user, policy);
        let Reserved::Reserved(began) = backend.store.reserve(&create).await.unwrap() else { panic!() };
        listing(&mut create).began = Some(began);
        assert_eq!(revoke(&backend, &user, which).await, Revoked::Revoked(0));
        match backend.store.create(&create).await.unwrap() {
            Created::Revoked(ended) => assert_eq!(ended.reason, EndReason::RevokedByAdmin),
            other => panic!("{other:?}"),
        }
        assert_eq!(backend.load(create.at).await, Loaded::Missing);
        let Reserved::Reserved(now) = backend.store.reserve(&create).await.unwrap() else { panic!() };
        assert!(now > began && now > Generation::default());
        listing(&mut create).began = Some(now);
        begin(&backend, &create).await;
    }
}

/// Else nobody could sign in for half a minute.
pub async fn a_revocation_gives_held_places_back(backend: Backend) {
    let user = somebody();
    let first = sign_in(&user, cap(1, CapPolicy::Reject));
    assert!(matches!(backend.store.reserve(&first).await.unwrap(), Reserved::Reserved(_)));
    assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(0));
    begin(&backend, &sign_in(&user, cap(1, CapPolicy::Reject))).await;
}

/// A renewal that comes between the look at the index and the script moves a session out of sight.
pub async fn renewals_do_not_escape_a_revocation(backend: Backend) {
    for _ in 0..20 {
        let user = somebody();
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let create = sign_in(&user, None);
            begin(&backend, &create).await;
            let mut record = backend.found(create.at).await;
            let (store, user) = (backend.store.clone(), user.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    let mut renew = change(&record, set(&[]));
                    let to = beside(record.address);
                    (renew.user, renew.renewal) = (Some(user.clone()), Some(renewal(to)));
                    match store.commit(&renew).await.unwrap() {
                        Committed::Gone(_) => return record.address,
                        answer => assert!(matches!(answer, Committed::Committed { .. }), "{answer:?}"),
                    }
                    match store.load(to, Touch::Refresh, IDLE).await.unwrap() {
                        Loaded::Found(found) => record = *found,
                        _ => return to,
                    }
                    tokio::task::yield_now().await;
                }
            }));
        }
        tokio::task::yield_now().await;
        assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(8));
        assert!(list(&backend, &user).await.is_empty());
        for task in tasks {
            assert_eq!(over(&backend, task.await.unwrap()).await, Some(EndReason::RevokedByAdmin));
        }
    }
}

/// B13: 1,000 sessions, 100 of them in use, some renewed meanwhile, others signing in.
pub async fn after_revoke_all_none_works(backend: Backend) {
    let user = somebody();
    let mut creates = Vec::new();
    for _ in 0..20 {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (store, create) = (backend.store.clone(), sign_in(&user, None));
                tokio::spawn(async move {
                    assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
                    create
                })
            })
            .collect();
        for task in tasks {
            creates.push(task.await.unwrap());
        }
    }
    let mut active = Vec::new();
    for (n, create) in creates.iter().take(100).enumerate() {
        let mut record = backend.found(create.at).await;
        let (store, user) = (backend.store.clone(), user.clone());
        active.push(tokio::spawn(async move {
            for round in 0..10_000 {
                let mut commit = change(&record, set(&[("a", "2")]));
                if n % 10 == 0 && round % 5 == 4 {
                    commit.renewal = Some(renewal(beside(record.address)));
                }
                commit.user = Some(user.clone());
                let at = commit.renewal.as_ref().map_or(commit.at, |renewal| renewal.to);
                match store.commit(&commit).await.unwrap() {
                    Committed::Committed { .. } => {}
                    Committed::Gone(ended) => {
                        assert_eq!(ended.reason, EndReason::RevokedByAdmin);
                        return commit.at;
                    }
                    other => panic!("{other:?}"),
                }
                match store.load(at, Touch::Refresh, IDLE).await.unwrap() {
                    Loaded::Found(found) => record = *found,
                    Loaded::Ended(ended) => {
                        assert_eq!(ended.reason, EndReason::RevokedByAdmin);
                        return at;
                    }
                    other => panic!("{other:?}"),
                }
                tokio::task::yield_now().await;
            }
            panic!("nobody revoked it");
        }));
    }
    let Revoked::Revoked(count) = revoke(&backend, &user, Which::All).await else { panic!() };
    assert_eq!(count, 1000);
    assert!(list(&backend, &user).await.is_empty());
    for (n, create) in creates.iter().enumerate() {
        let loaded = backend.load(create.at).await;
        // Of one that was renewed again and again, only this is known.
        let renewed = n < 100 && n % 10 == 0 && !matches!(loaded, Loaded::Found(_));
        let why = matches!(&loaded, Loaded::Ended(ended) if ended.reason == EndReason::RevokedByAdmin);
        assert!(why || renewed, "{n}: {loaded:?}");
    }
    for task in active {
        assert_eq!(over(&backend, task.await.unwrap()).await, Some(EndReason::RevokedByAdmin));
    }
}
