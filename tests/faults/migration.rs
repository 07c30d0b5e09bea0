//! A slot moves to another node of a cluster while its sessions are in use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cloakroom::{
    id::Token,
    store::{RedisStore, SessionStore as _},
};
use http::StatusCode;
use servers::{Cluster, Redis};

use crate::{
    client::{Client, TIMEOUT},
    eye::Eye,
};

const WRITERS: usize = 6;
const VISITORS: usize = 2;

/// What the clients do until they are told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    done: AtomicUsize,
    unavailable: AtomicUsize,
}

/// Acknowledged additions are counted once, nobody is taken for a new visitor, and nothing is
/// half-written, neither in a migration that takes a moment nor in one that is stuck half-way for
/// longer than a request waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_moves_under_load() {
    let cluster = Arc::new(Cluster::start(3).unwrap());
    // One shard, so that every session is in the slot that moves.
    let builder = RedisStore::cluster(cluster.urls()).shards(1).timeout(TIMEOUT).audit(true);
    let store = builder.build().unwrap();
    store.ready().await.unwrap();
    let nodes = Arc::clone(&cluster);
    let (slot, from) = tokio::task::spawn_blocking(move || place(&nodes)).await.unwrap();
    let to = (from + 1) % 3;

    let load = Arc::new(Load::default());
    let writers: Vec<_> =
        (0..WRITERS).map(|_| tokio::spawn(write(store.clone(), Arc::clone(&load)))).collect();
    let visitors: Vec<_> =
        (0..VISITORS).map(|_| tokio::spawn(visit(store.clone(), Arc::clone(&load)))).collect();

    let (nodes, watched) = (Arc::clone(&cluster), Arc::clone(&load));
    let migrations = tokio::task::spawn_blocking(move || {
        watched.wait_for_more();
        migrate(&nodes, &slot, from, to, Duration::ZERO);
        watched.wait_for_more();
        let quick = watched.unavailable.load(Ordering::SeqCst);
        migrate(&nodes, &slot, to, from, TIMEOUT * 2);
        watched.wait_for_more();
        watched.stop.store(true, Ordering::SeqCst);
        quick
    });
    let quick = migrations.await.unwrap();
    for visitor in visitors {
        visitor.await.unwrap();
    }
    let eye = Eye::on(&cluster.nodes()[from].url(), "session").await;
    let trail = cluster.nodes()[from].command(&["KEYS", "session:*:audit"]).unwrap();
    let trail = cluster.nodes()[from].command(&["XRANGE", &trail, "-", "+"]).unwrap();
    for writer in writers {
        let (client, acknowledged, open) = writer.await.unwrap();
        let token = client.token().unwrap();
        let (seen, _) = eye.look(Some(token)).await;
        let seen = seen.expect("the session is there");
        assert_eq!(seen.version, seen.count, "a version for each addition");
        assert!(
            (acknowledged..=acknowledged + open).contains(&seen.count),
            "{acknowledged} were acknowledged, {open} answered with 503, and {seen:?}"
        );
        let reference = Token::parse(token.as_bytes()).unwrap().address().reference.to_string();
        let entries = trail.lines().filter(|line| line.contains(&reference)).count();
        assert_eq!(u64::try_from(entries).unwrap(), seen.count, "an entry for each version");
    }
    eye.whole().await;
    let (done, unavailable) = (load.done.load(Ordering::SeqCst), load.unavailable.load(Ordering::SeqCst));
    println!("{done} served; 503s: {quick} in the quick migration, {} in the stuck one", unavailable - quick);
    // Who waits for the end of a migration waits once or twice, one after the other.
    assert!(quick <= 3 * (WRITERS + VISITORS), "{quick}");
    assert!(unavailable - quick <= 6 * (WRITERS + VISITORS), "{unavailable} - {quick}");
}

/// Counts in a session of its own: what was acknowledged, and what was answered with 503.
async fn write(store: RedisStore, load: Arc<Load>) -> (Client, u64, u64) {
    let mut client = Client::of(store);
    client.expect("/add", "1").await;
    let (mut acknowledged, mut open) = (1, 0);
    while !load.stop.load(Ordering::SeqCst) {
        let answer = client.get("/add").await;
        assert_eq!(answer.set_cookie, None, "never a new session for one that is there");
        if answer.status == StatusCode::OK {
            acknowledged += 1;
            let shown: u64 = answer.body.parse().unwrap();
            assert!((acknowledged..=acknowledged + open).contains(&shown), "{shown}, {acknowledged}, {open}");
            load.done.fetch_add(1, Ordering::SeqCst);
        } else {
            answer.assert_unavailable("/add");
            open += 1;
            load.unavailable.fetch_add(1, Ordering::SeqCst);
        }
    }
    (client, acknowledged, open)
}

/// Comes, signs in, is known, signs out, is known no more.
async fn visit(store: RedisStore, load: Arc<Load>) {
    while !load.stop.load(Ordering::SeqCst) {
        let mut client = Client::of(store.clone());
        for (path, shown) in
            [("/add", "1"), ("/add/login", "2"), ("/user", "alice"), ("/logout", "0"), ("/user", "")]
        {
            let answer = client.get(path).await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                answer.assert_unavailable(path);
                load.unavailable.fetch_add(1, Ordering::SeqCst);
                // Whether it happened is open, so there is nothing more to ask of this one.
                break;
            }
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, shown), "{path}");
            load.done.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Load {
    /// Until everybody was served some ten times more.
    fn wait_for_more(&self) {
        let wanted = self.done.load(Ordering::SeqCst) + 10 * (WRITERS + VISITORS);
        let end = Instant::now() + Duration::from_secs(30);
        while self.done.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < end, "nobody is served any more");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The slot of all sessions, and the node that has it.
fn place(cluster: &Cluster) -> (String, usize) {
    for (number, node) in cluster.nodes().iter().enumerate() {
        let epochs = node.command(&["KEYS", "session:*:epoch"]).unwrap();
        if let Some(key) = epochs.lines().find(|line| !line.is_empty()) {
            return (node.command(&["CLUSTER", "KEYSLOT", key]).unwrap(), number);
        }
    }
    panic!("no node has the shard");
}

/// As the manual says: one key after the other. `pause` is how long it is stuck when half are moved.
fn migrate(cluster: &Cluster, slot: &str, from: usize, to: usize, pause: Duration) {
    let id = |node: &Redis| node.command(&["CLUSTER", "MYID"]).unwrap();
    let (source, target) = (&cluster.nodes()[from], &cluster.nodes()[to]);
    target.command(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(source)]).unwrap();
    source.command(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(target)]).unwrap();
    let all: usize = source.command(&["CLUSTER", "COUNTKEYSINSLOT", slot]).unwrap().parse().unwrap();
    let port = target.port().to_string();
    for moved in 0.. {
        let key = source.command(&["CLUSTER", "GETKEYSINSLOT", slot, "1"]).unwrap();
        if key.is_empty() {
            break;
        }
        if moved == all / 2 {
            thread::sleep(pause);
        }
        // NOKEY, where it has expired meanwhile, is fine, too.
        source.command(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]).unwrap();
    }
    // The new owner first, so that nobody is sent in circles.
    for node in [target, source].into_iter().chain(cluster.nodes()) {
        node.command(&["CLUSTER", "SETSLOT", slot, "NODE", &id(target)]).unwrap();
    }
}
