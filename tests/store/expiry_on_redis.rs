//! What a sweep costs, and what it does when things go wrong, on Redis.

use std::{collections::BTreeMap, time::Duration};

use cloakroom::{
    record::EndReason,
    store::{Loaded, RedisStore, SessionStore as _, Touch},
};

use crate::{
    backend::{Any, Backend, IDLE, beside, change, creation, renewal, set},
    expiry::{brief, brief_of, until},
    users::{begin, over, sign_in, somebody},
};

fn world() -> (servers::Redis, Backend) {
    let server = servers::Redis::start().unwrap();
    let store = RedisStore::builder(server.url()).audit(true).build().unwrap();
    (server, Backend::of(Any::Redis(store)))
}

fn keys(server: &servers::Redis, pattern: &str) -> Vec<String> {
    server.command(&["KEYS", pattern]).unwrap().lines().map(str::to_owned).collect()
}

/// All sessions are gone.
async fn ran_out(server: &servers::Redis, backend: &Backend) {
    until(backend, "they ran out", || async { keys(server, "*:s:*").is_empty() }).await;
}

fn ends(server: &servers::Redis) -> usize {
    let entries = |key: String| server.command(&["XRANGE", &key, "-", "+"]).unwrap();
    keys(server, "*:audit").into_iter().map(|key| entries(key).matches("\"kind\":\"ended\"").count()).sum()
}

/// All but the question itself.
fn calls(server: &servers::Redis) -> BTreeMap<String, u64> {
    let mut calls = server.command_calls();
    calls.retain(|name, _| name != "config|resetstat" && name != "info");
    calls
}

#[tokio::test]
async fn a_sweep_costs_what_it_finds() {
    let (server, backend) = world();
    // Once for the script.
    begin(&backend, &brief()).await;
    ran_out(&server, &backend).await;
    until(&backend, "swept", || async { backend.store.sweep(IDLE).await.unwrap() == 1 }).await;

    let user = somebody();
    for _ in 0..50 {
        begin(&backend, &sign_in(&user, None)).await;
    }
    server.reset_stats().unwrap();
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    let nothing = [("time".to_owned(), 1), ("zrange".to_owned(), 64)];
    assert_eq!(calls(&server), nothing.into(), "whatever lives");

    let costs = async |sessions: u64| -> BTreeMap<String, u64> {
        for _ in 0..sessions {
            begin(&backend, &brief_of(&user)).await;
        }
        until(&backend, "they ran out", || async { keys(&server, "*:s:*").len() == 50 }).await;
        server.reset_stats().unwrap();
        assert_eq!(backend.store.sweep(IDLE).await.unwrap() as u64, sessions);
        calls(&server)
    };
    for sessions in [1, 99] {
        let expected = [
            ("evalsha", 1),
            ("get", 1),
            ("time", 2),
            ("zrange", 64),
            ("zrangebyscore", 1),
            ("exists", sessions),
            ("hdel", sessions),
            ("hget", 2 * sessions),
            ("hincrby", sessions),
            ("hset", sessions),
            ("pexpire", sessions),
            ("xadd", sessions),
            ("zrem", sessions),
            ("zscore", sessions),
        ];
        let expected: BTreeMap<_, _> = expected.map(|(name, calls)| (name.to_owned(), calls)).into();
        assert_eq!(costs(sessions).await, expected);
    }
}

/// Every connection is cut, over and over: what was done is done once, what was not is done later.
#[tokio::test]
async fn sweeps_that_are_cut_off_are_repeated() {
    let (server, backend) = world();
    let user = somebody();
    for _ in 0..400 {
        begin(&backend, &brief_of(&user)).await;
    }
    ran_out(&server, &backend).await;
    let sweepers: Vec<_> = (0..3)
        .map(|_| {
            let store = RedisStore::builder(server.url()).audit(true).build().unwrap();
            tokio::spawn(async move {
                for _ in 0..12 {
                    let _ = store.sweep(IDLE).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    while !sweepers.iter().all(|sweeper| sweeper.is_finished()) {
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for sweeper in sweepers {
        sweeper.await.unwrap();
    }
    until(&backend, "the list is empty", || async {
        let _ = backend.store.sweep(IDLE).await;
        keys(&server, "*:due").is_empty()
    })
    .await;
    assert_eq!(ends(&server), 400);
}

/// Names that another release, or nobody, has written.
#[tokio::test]
async fn what_cannot_be_read_hides_nothing() {
    let (server, backend) = world();
    let user = somebody();
    for _ in 0..3 {
        begin(&backend, &brief_of(&user)).await;
    }
    let due = &keys(&server, "*:due")[0];
    for n in 0..250 {
        server.command(&["ZADD", due, &format!("{}", n % 7), &format!("later {n}")]).unwrap();
    }
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("ZADD").arg(due).arg("-inf").arg(&b"\xff\0 "[..]).exec(&mut connection).unwrap();
    ran_out(&server, &backend).await;
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 3);
    assert_eq!(ends(&server), 3);
    assert_eq!(server.command(&["ZCARD", due]).unwrap(), "251");
}

/// A name that stayed behind must not end anything: neither the session that was renewed from there, nor its place
/// in the list.
#[tokio::test]
async fn a_name_that_stayed_behind_harms_nobody() {
    let (server, backend) = world();
    let user = somebody();
    let create = sign_in(&user, None);
    begin(&backend, &create).await;
    let due = &keys(&server, "*:due")[0];
    let stale = server.command(&["ZRANGE", due, "0", "0"]).unwrap();
    let record = backend.found(create.at).await;
    let mut renew = change(&record, set(&[]));
    let to = beside(create.at);
    renew.user = Some(user.clone());
    renew.renewal = Some(renewal(to));
    backend.committed(&renew).await;
    for forgotten in [false, true] {
        if forgotten {
            server.command(&["DEL", &keys(&server, "*:x:*")[0]]).unwrap();
        }
        server.command(&["ZADD", due, "1", &stale]).unwrap();
        assert_eq!(backend.store.sweep(IDLE).await.unwrap(), usize::from(forgotten));
        assert_eq!(server.command(&["ZCARD", due]).unwrap(), "1");
        assert_eq!(backend.store.sessions_of(&user).await.unwrap().len(), 1);
        assert_eq!(over(&backend, to).await, None);
    }
}

/// As a release made them that had no such list: they run out in silence, and a renewal puts them on it.
#[tokio::test]
async fn sessions_of_before_run_out_in_silence() {
    let (server, backend) = world();
    let (silent, renewed) = (brief(), creation(&[("a", "1")]));
    begin(&backend, &silent).await;
    begin(&backend, &renewed).await;
    for due in keys(&server, "*:due") {
        server.command(&["DEL", &due]).unwrap();
    }
    let record = backend.found(renewed.at).await;
    let mut renew = change(&record, set(&[]));
    renew.renewal = Some(renewal(beside(renewed.at)));
    backend.committed(&renew).await;
    assert_eq!(keys(&server, "*:due").len(), 1);
    until(&backend, "it ran out", || async { keys(&server, "*:s:*").len() == 1 }).await;
    assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 0);
    assert_eq!(backend.load(silent.at).await, Loaded::Missing);
    assert_eq!(ends(&server), 0);
}

/// The end is told by the same name, whoever notices it: after a failover that lost the first time, too.
#[tokio::test]
async fn an_end_has_one_name() {
    let mut names = Vec::new();
    let create = brief();
    for _ in 0..2 {
        let (server, backend) = world();
        begin(&backend, &create).await;
        ran_out(&server, &backend).await;
        assert_eq!(backend.store.sweep(IDLE).await.unwrap(), 1);
        let entry =
            server.command(&["XREVRANGE", &keys(&server, "*:audit")[0], "+", "-", "COUNT", "1"]).unwrap();
        let name = entry.split("\"id\":\"").nth(1).unwrap()[..36].to_owned();
        assert_eq!(&name[14..15], "8", "{name}");
        names.push(name);
    }
    assert_eq!(names[0], names[1]);
}

/// Replies have another shape there.
#[tokio::test]
async fn it_works_over_resp3() {
    let server = servers::Redis::start().unwrap();
    let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let backend = Backend::of(Any::Redis(RedisStore::with_client(client).build().unwrap()));
    let (gone, there) = (brief(), creation(&[("a", "1")]));
    let late = cloakroom::store::Create { absolute: Duration::from_millis(50), ..creation(&[("a", "1")]) };
    for create in [&gone, &there, &late] {
        begin(&backend, create).await;
    }
    until(&backend, "both ended", || async {
        let _ = backend.store.sweep(IDLE).await.unwrap();
        matches!(backend.store.load(gone.at, Touch::Peek, IDLE).await.unwrap(), Loaded::Ended(_))
            && keys(&server, "*:s:*").len() == 1
    })
    .await;
    assert_eq!(over(&backend, gone.at).await, Some(EndReason::Idle));
    assert_eq!(over(&backend, late.at).await, Some(EndReason::Absolute));
    assert_eq!(over(&backend, there.at).await, None);
}
