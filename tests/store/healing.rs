//! What faults leave in a user's index, on Redis.

use cloakroom::{
    record::EndReason,
    store::{CapPolicy, Finished, RedisStore, Revoked, SessionStore as _, Which},
};

use crate::{
    backend::{Any, Backend, ending},
    users::{begin, cap, list, revoke, sign_in, somebody},
};

fn world() -> (servers::Redis, Backend) {
    let server = servers::Redis::start().unwrap();
    let store = RedisStore::builder(server.url()).audit(true).build().unwrap();
    (server, Backend::of(Any::Redis(store)))
}

fn key(server: &servers::Redis, kind: &str) -> Vec<String> {
    let keys = server.command(&["KEYS", &format!("*:{kind}:*")]).unwrap();
    keys.lines().map(str::to_owned).collect()
}

/// What an eviction, a careless operator or a failover can do.
#[tokio::test]
async fn members_without_a_session_are_forgotten() {
    for by_sign_in in [false, true] {
        let (server, backend) = world();
        let user = somebody();
        for _ in 0..5 {
            begin(&backend, &sign_in(&user, None)).await;
        }
        let sessions = key(&server, "s");
        for session in &sessions[..3] {
            server.command(&["DEL", session]).unwrap();
        }
        let index = &key(&server, "u")[0];
        if by_sign_in {
            begin(&backend, &sign_in(&user, cap(3, CapPolicy::Reject))).await;
        }
        let left = 2 + usize::from(by_sign_in);
        assert_eq!(list(&backend, &user).await.len(), left);
        // The sessions and the revision.
        assert_eq!(server.command(&["HLEN", index]).unwrap(), (left + 1).to_string());
        assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(left));
    }
}

/// An entry goes with its session, and not only when somebody looks.
#[tokio::test]
async fn an_end_takes_its_entry_along() {
    let (server, backend) = world();
    let user = somebody();
    let (first, second) = (sign_in(&user, None), sign_in(&user, None));
    begin(&backend, &first).await;
    begin(&backend, &second).await;
    let mut end = ending(first.at, EndReason::LoggedOut);
    end.user = Some(user);
    assert!(matches!(backend.end(&end).await, Finished::Ended { .. }));
    assert_eq!(
        server.command(&["HLEN", &key(&server, "u")[0]]).unwrap(),
        "2",
        "one session, and the revision"
    );
}

/// One entry for each sign-in, eviction and revocation.
#[tokio::test]
async fn the_queue_tells_of_evictions_and_revocations() {
    let (server, backend) = world();
    let user = somebody();
    for _ in 0..5 {
        begin(&backend, &sign_in(&user, cap(2, CapPolicy::EvictOldest))).await;
    }
    let stream = key(&server, "u")[0].split(":u:").next().unwrap().to_owned() + ":audit";
    assert_eq!(server.command(&["XLEN", &stream]).unwrap(), "8");
    assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(2));
    assert_eq!(server.command(&["XLEN", &stream]).unwrap(), "10");
    let entries = server.command(&["XRANGE", &stream, "-", "+"]).unwrap();
    for (reason, count) in [("evicted", 3), ("revoked_by_admin", 2)] {
        assert_eq!(entries.matches(&format!("\"reason\":\"{reason}\"")).count(), count, "{entries}");
    }
}

/// Where nobody lists and nobody counts, the index must not grow for ever.
#[tokio::test]
async fn sign_ins_alone_forget_what_is_past_its_deadline() {
    let (server, backend) = world();
    let user = somebody();
    let mut tasks = Vec::new();
    // The index lives as long as the youngest.
    begin(&backend, &sign_in(&user, None)).await;
    for _ in 0..200 {
        let (store, mut create) = (backend.store.clone(), sign_in(&user, None));
        create.absolute = std::time::Duration::from_millis(1);
        tasks.push(tokio::spawn(async move { store.create(&create).await.unwrap() }));
    }
    for task in tasks {
        let _ = task.await.unwrap();
    }
    for _ in 1..200 {
        begin(&backend, &sign_in(&user, None)).await;
    }
    let left = server.command(&["HLEN", &key(&server, "u")[0]]).unwrap().parse::<usize>().unwrap();
    assert!((201..280).contains(&left), "{left}");
}

/// Text that no release has written, or a later one: it is nobody's session, and stays.
#[tokio::test]
async fn what_cannot_be_read_is_left_alone() {
    let (server, backend) = world();
    let user = somebody();
    begin(&backend, &sign_in(&user, None)).await;
    let index = &key(&server, "u")[0];
    for (name, entry) in [("AAAAAAAAAAAAAAAAAAAAAA", "x"), ("later", "1"), ("+later", "x"), ("", "")] {
        server.command(&["HSET", index, name, entry]).unwrap();
    }
    begin(&backend, &sign_in(&user, cap(2, CapPolicy::EvictOldest))).await;
    assert_eq!(list(&backend, &user).await.len(), 2);
    begin(&backend, &sign_in(&user, cap(2, CapPolicy::EvictOldest))).await;
    assert_eq!(revoke(&backend, &user, Which::All).await, Revoked::Revoked(2));
}
