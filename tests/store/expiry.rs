//! Sessions that run out: noticed, told once, and why.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom::{
    clock::Timestamp,
    id::{Address, EventId},
    record::{EndReason, Ended},
    store::{
        Anew, CapPolicy, Committed, Create, Created, Finished, Loaded, Raise, SessionStore as _, SignIn,
        Touch, Which,
    },
};
use serde_json::Value;

use crate::{
    backend::{Backend, IDLE, beside, change, creation, ending, renewal, set},
    users::{begin, cap, list, over, revoke, sign_in, somebody},
};

pub const SOON: Duration = Duration::from_millis(80);

pub fn brief() -> Create {
    Create { idle: SOON, ..creation(&[("a", "1")]) }
}

pub fn brief_of(user: &str) -> Create {
    Create { idle: SOON, ..sign_in(user, None) }
}

async fn began(backend: &Backend, create: &Create) -> Timestamp {
    match backend.store.create(create).await.unwrap() {
        Created::Created { at } => at,
        other => panic!("{other:?}"),
    }
}

/// Lets time pass until it holds.
pub async fn until<F: Future<Output = bool>>(backend: &Backend, what: &str, mut holds: impl FnMut() -> F) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < end, "still not: {what}");
        backend.pass(Duration::from_millis(10)).await;
        // Where the clock is moved by hand, others have to get a turn.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Nothing that was begun before is there any more, and nobody has noticed.
async fn ran_out(backend: &Backend, sessions: &[Address]) {
    for at in sessions {
        until(backend, "it ran out", || async {
            backend.store.load(*at, Touch::Peek, IDLE).await.unwrap() == Loaded::Missing
        })
        .await;
    }
}

/// Sweeps until so many have ended, and once more: no other does.
async fn sweep(backend: &Backend, expected: usize) {
    let ended = AtomicUsize::new(0);
    until(backend, "all are swept", || async {
        ended.fetch_add(backend.store.sweep(IDLE).await.unwrap(), Ordering::Relaxed);
        ended.load(Ordering::Relaxed) >= expected
    })
    .await;
    assert_eq!(ended.into_inner() + backend.store.sweep(IDLE).await.unwrap(), expected);
}

/// What the trail tells of this session's end: version, predecessor, payload.
fn told(backend: &Backend, at: Address) -> Vec<(u64, Option<EventId>, Value)> {
    let reference = at.reference.to_string();
    let ours = |payload: &Value| payload["kind"] == "ended" && payload["ref"] == *reference;
    backend.trail().into_iter().filter(|(.., payload)| ours(payload)).collect()
}

async fn ended(backend: &Backend, at: Address) -> Ended {
    match backend.load(at).await {
        Loaded::Ended(ended) => ended,
        other => panic!("{other:?}"),
    }
}

pub async fn four_sweepers_tell_of_each_end_once(backend: Backend) {
    // What a name in the list could be taken apart at.
    let user = format!("a b - {}", somebody());
    let mut sessions = BTreeMap::new();
    for n in 0..40 {
        let create = if n % 4 == 0 { brief_of(&user) } else { brief() };
        sessions.insert(create.at.reference, (create.at, began(&backend, &create).await, n % 4 == 0));
    }
    let ended_by_all = Arc::new(AtomicUsize::new(0));
    let sweepers: Vec<_> = (0..4)
        .map(|_| {
            let (store, ended, all) = (backend.elsewhere(), Arc::clone(&ended_by_all), sessions.len());
            tokio::spawn(async move {
                let end = Instant::now() + Duration::from_secs(30);
                while ended.load(Ordering::SeqCst) < all && Instant::now() < end {
                    ended.fetch_add(store.sweep(IDLE).await.unwrap(), Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            })
        })
        .collect();
    let all_ended = || async { ended_by_all.load(Ordering::SeqCst) >= sessions.len() };
    until(&backend, "all ran out", all_ended).await;
    for sweeper in sweepers {
        sweeper.await.unwrap();
    }
    assert_eq!(ended_by_all.load(Ordering::SeqCst), sessions.len());
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    let mut ids = std::collections::BTreeSet::new();
    for (at, created_at, signed_in) in sessions.into_values() {
        let entries = told(&backend, at);
        let [(version, predecessor, payload)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((*version, *predecessor), (0, None), "they went with the session");
        assert_eq!(payload["reason"], "idle");
        assert_eq!(payload["user"].as_str(), signed_in.then_some(&*user));
        assert!(ids.insert(payload["id"].as_str().unwrap().to_owned()));
        let why = ended(&backend, at).await;
        let moment = Timestamp::from_millis(created_at.as_millis() + SOON.as_millis() as u64);
        assert_eq!(why, Ended { reason: EndReason::Idle, at: Some(moment), device: None });
    }
}

/// And in one sweep, however many they are.
pub async fn what_ran_out_while_nobody_was_there_is_found(backend: Backend) {
    let user = somebody();
    let mut sessions = Vec::new();
    for n in 0..260 {
        // 230 on one shard: more than two scripts look after at a time.
        let create = if n < 230 { brief_of(&user) } else { brief() };
        begin(&backend, &create).await;
        sessions.push(create.at);
    }
    ran_out(&backend, &sessions).await;
    assert_eq!(backend.elsewhere().sweep(IDLE).await.unwrap(), 260);
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    let ends = backend.trail().iter().filter(|(.., payload)| payload["kind"] == "ended").count();
    assert_eq!(ends, 260);
    for at in sessions {
        assert_eq!(over(&backend, at).await, Some(EndReason::Idle));
    }
}

/// A session whose first idle time is over, and which a load has given an hour.
async fn in_use(backend: &Backend, create: impl Fn() -> Create) -> (Create, Timestamp) {
    for tries in 0..8 {
        // A busy machine may come too late for a short one.
        let create = Create { idle: SOON * (1 << tries), ..create() };
        let at = began(backend, &create).await;
        if let Loaded::Found(_) = backend.load(create.at).await {
            let due = Timestamp::from_millis(at.as_millis() + create.idle.as_millis() as u64);
            return (create, due);
        }
    }
    panic!("no load came in time");
}

async fn is_due(backend: &Backend, due: Timestamp) {
    let now = || async {
        let (_, record) = backend.create(&[]).await;
        record.loaded_at > due
    };
    until(backend, "its first idle time is over", now).await;
}

pub async fn what_is_in_use_is_left_alone(backend: Backend) {
    let (create, due) = in_use(&backend, || sign_in(&somebody(), None)).await;
    is_due(&backend, due).await;
    for _ in 0..3 {
        assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    }
    let record = backend.found(create.at).await;
    assert!(record.expires_in > IDLE - Duration::from_secs(60), "a sweep takes nothing of its time");
    assert_eq!(told(&backend, create.at), []);
    backend.committed(&change(&record, set(&[("a", "2")]))).await;
    // It is looked at when its time may really be up.
    for (mut connection, key) in backend.keys("due") {
        let soonest: Vec<(String, u64)> =
            redis::cmd("ZRANGE").arg(key).arg(0).arg(0).arg("WITHSCORES").query(&mut connection).unwrap();
        assert!(soonest[0].1 > due.as_millis() + 3_000_000, "{soonest:?}");
    }
}

pub async fn past_its_deadline_it_ends_for_that_reason(backend: Backend) {
    // One that is there yet, and one that Redis has dropped at the same moment.
    let there = Create { absolute: SOON, ..creation(&[("a", "1")]) };
    let gone = Create { absolute: SOON, ..brief() };
    for create in [&there, &gone] {
        began(&backend, create).await;
    }
    sweep(&backend, 2).await;
    for create in [&there, &gone] {
        let entries = told(&backend, create.at);
        let [(.., payload)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(payload["reason"], "absolute");
        assert_eq!(over(&backend, create.at).await, Some(EndReason::Absolute));
    }
    assert_eq!(told(&backend, there.at)[0].0, 2, "its version is known");
    assert_eq!(told(&backend, there.at)[0].1, Some(there.event));
}

pub async fn the_void_are_ended(backend: Backend) {
    let user = somebody();
    let (create, _) = in_use(&backend, || sign_in(&user, None)).await;
    backend.store.raise_epoch(&Raise::default()).await.unwrap();
    sweep(&backend, 1).await;
    assert_eq!(told(&backend, create.at)[0].2["reason"], "epoch");
    assert_eq!(over(&backend, create.at).await, Some(EndReason::Epoch));
    assert!(list(&backend, &user).await.is_empty());
}

pub async fn a_renewed_session_ends_under_its_new_name(backend: Backend) {
    for anew in [false, true] {
        let user = somebody();
        let create = sign_in(&user, None);
        begin(&backend, &create).await;
        let record = backend.found(create.at).await;
        let to = beside(create.at);
        let mut commit = change(&record, set(&[]));
        commit.idle = SOON;
        commit.user = Some(user.clone());
        commit.renewal = Some(renewal(to));
        if anew {
            let sign_in = SignIn { user: user.clone(), method: None, listing: None };
            commit.renewal.as_mut().unwrap().anew = Some(Anew { sign_in, absolute: 2 * IDLE });
        }
        for _ in 0..2 {
            // The second is the repeat after a lost reply; it may come too late for an answer.
            assert!(!matches!(backend.commit(&commit).await, Committed::Conflict { .. } | Committed::Taken));
        }
        sweep(&backend, 1).await;
        assert_eq!((told(&backend, create.at).len(), told(&backend, to).len()), (0, 1));
        assert_eq!(over(&backend, to).await, Some(EndReason::Idle));
        let old = over(&backend, create.at).await;
        assert_eq!(old, Some(if anew { EndReason::Replaced } else { EndReason::Idle }));
        assert!(list(&backend, &user).await.is_empty());
    }
}

pub async fn what_ended_otherwise_is_not_told_again(backend: Backend) {
    let user = somebody();
    let (logged_out, replaced, revoked) = (brief(), brief(), brief_of(&user));
    let evicted = Create { idle: SOON, ..sign_in(&user, cap(1, CapPolicy::EvictOldest)) };
    let mut expected = 0;
    for create in [&logged_out, &replaced, &evicted] {
        begin(&backend, create).await;
    }
    let mut carried = ending(replaced.at, EndReason::Replaced);
    carried.keep_fields = true;
    for end in [ending(logged_out.at, EndReason::LoggedOut), carried] {
        // If it has run out already, the sweep is right to tell of it.
        expected += usize::from(!matches!(backend.end(&end).await, Finished::Ended { .. }));
    }
    begin(&backend, &Create { idle: IDLE, ..sign_in(&user, cap(1, CapPolicy::EvictOldest)) }).await;
    begin(&backend, &revoked).await;
    let _ = revoke(&backend, &user, Which::All).await;
    for at in [evicted.at, revoked.at] {
        let early = backend.store.load(at, Touch::Peek, IDLE).await.unwrap();
        expected += usize::from(early == Loaded::Missing);
    }
    let control = brief();
    begin(&backend, &control).await;
    sweep(&backend, expected + 1).await;
    for create in [&logged_out, &replaced, &evicted, &revoked, &control] {
        assert_eq!(told(&backend, create.at).len(), 1, "{:?}", create.at);
    }
}

/// Whatever happens to them, each session that lives is on the list once, and nothing else is.
pub async fn the_list_holds_what_lives(backend: Backend) {
    let user = somebody();
    let mut live = Vec::new();
    for n in 0..12 {
        let create = if n % 2 == 0 { sign_in(&user, None) } else { creation(&[("a", "1")]) };
        begin(&backend, &create).await;
        begin(&backend, &create).await;
        live.push(backend.found(create.at).await);
    }
    for (n, record) in live.iter_mut().enumerate() {
        let to = beside(record.address);
        let mut commit = change(record, set(&[("b", "2")]));
        commit.user = record.user.clone();
        if n % 3 == 0 {
            commit.renewal = Some(renewal(to));
        }
        if n == 6 {
            let sign_in = SignIn { user: user.clone(), method: None, listing: None };
            commit.renewal.as_mut().unwrap().anew = Some(Anew { sign_in, absolute: 2 * IDLE });
        }
        backend.committed(&commit).await;
        *record = backend.found(if n % 3 == 0 { to } else { record.address }).await;
    }
    for keep_fields in [false, true] {
        for _ in 0..2 {
            let record = live.pop().unwrap();
            let mut end = ending(record.address, EndReason::LoggedOut);
            end.user = record.user;
            end.keep_fields = keep_fields;
            assert!(matches!(backend.end(&end).await, Finished::Ended { .. }));
        }
    }
    let one = live.iter().find_map(|record| record.handle).unwrap();
    let _ = revoke(&backend, &user, Which::One(one)).await;
    begin(&backend, &sign_in(&user, cap(2, CapPolicy::EvictOldest))).await;
    let _ = revoke(&backend, &user, Which::All).await;
    live.retain(|record| record.user.is_none());
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    if backend.nodes.is_empty() {
        return;
    }
    let mut listed = Vec::new();
    for (mut connection, key) in backend.keys("due") {
        let names: Vec<String> = redis::cmd("ZRANGE").arg(key).arg(0).arg(-1).query(&mut connection).unwrap();
        listed.extend(names.into_iter().map(|name| name.split(' ').nth(1).unwrap().to_owned()));
    }
    let mut expected: Vec<_> = live.iter().map(|record| record.address.reference.to_string()).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

pub async fn a_session_that_ran_out_leaves_its_users_list(backend: Backend) {
    let user = somebody();
    let (stays, goes) = (sign_in(&user, None), brief_of(&user));
    begin(&backend, &stays).await;
    begin(&backend, &goes).await;
    sweep(&backend, 1).await;
    // Without anybody who lists: that would tidy it up, too.
    for (mut connection, key) in backend.keys("u:*") {
        let names: Vec<String> = redis::cmd("HKEYS").arg(key).query(&mut connection).unwrap();
        assert_eq!(names.len(), 2, "one session, and the revision: {names:?}");
    }
    assert_eq!(list(&backend, &user).await.len(), 1);
    assert_eq!(over(&backend, stays.at).await, None);
}
