//! What one user with many sessions costs, and a sweep.

use std::time::{Duration, Instant};

use cloakroom::{
    id::{Address, EventId, SessionHandle, ShardCount},
    record::EndReason,
    store::{
        Create, Created, Listing, RedisStore, Revocation, Revoked, SessionStore as _, SignIn, Touch, Which,
    },
};
use report::{Results, statistics::median};
use serde_json::json;

use crate::support::{Commits, IDLE, Place, creation, load};

pub(crate) async fn run(results: &mut Results, counts: &[usize]) {
    println!(
        "{:>9} {:>10} {:>8} {:>8} {:>18} {:>18} {:>14} {:>18}",
        "of a user",
        "sign-in µs",
        "load µs",
        "commit",
        "list, µs a session",
        "end all, a session",
        "idle sweep µs",
        "sweep, µs an end"
    );
    for count in counts {
        let (of_user, swept) = (of_user(*count).await, swept(*count).await);
        let per = |micros: f64| micros / *count as f64;
        println!(
            "{count:>9} {:>10.1} {:>8.1} {:>8.1} {:>18.2} {:>18.1} {:>14.0} {:>18.1}",
            of_user.sign_in,
            of_user.load,
            of_user.commit,
            per(of_user.list),
            per(of_user.end_all),
            of_user.idle_sweep,
            per(swept)
        );
        let numbers = json!({
            "sessions": count, "sign_in_us": of_user.sign_in, "load_us": of_user.load, "commit_us": of_user.commit,
            "list_us": of_user.list, "end_all_us": of_user.end_all, "idle_sweep_us": of_user.idle_sweep,
            "sweep_us": swept,
        });
        results.add("users", numbers).unwrap();
    }
}

/// Each the median of some, in microseconds.
struct OfUser {
    /// One more, with all the others there.
    sign_in: f64,
    load: f64,
    commit: f64,
    list: f64,
    end_all: f64,
    /// A sweep that finds nothing.
    idle_sweep: f64,
}

async fn of_user(count: usize) -> OfUser {
    let place = Place::One(servers::Redis::start().unwrap());
    let store = place.store("users", false).await;
    let mut signed_in = Vec::new();
    let mut last = None;
    for _ in 0..count {
        let start = Instant::now();
        last = Some(sign_in(&store).await);
        signed_in.push(micros(start));
    }
    let at = last.unwrap();
    let mut commits = Commits::of(&store, at).await;
    let mut times: [Vec<f64>; 4] = Default::default();
    // Not in turn: what a list of ten thousand leaves of the processor's caches is no load's fault.
    for (operation, times) in times.iter_mut().enumerate() {
        for _ in 0..50 {
            let start = Instant::now();
            match operation {
                0 => drop(load(&store, at, Touch::Refresh).await),
                1 => commits.run(&store).await,
                2 => assert_eq!(store.sessions_of("alice").await.unwrap().len(), count),
                _ => assert_eq!(store.sweep(IDLE).await.unwrap(), 0),
            }
            times.push(micros(start));
        }
    }
    let revocation = Revocation {
        user: "alice".to_owned(),
        event: EventId::new(),
        which: Which::All,
        reason: EndReason::RevokedByAdmin,
        by: None,
        device: None,
        remember: IDLE,
        context: Default::default(),
    };
    let start = Instant::now();
    assert_eq!(store.revoke(&revocation).await.unwrap(), Revoked::Revoked(count));
    let end_all = micros(start);
    let [load, commit, list, idle_sweep] = [0, 1, 2, 3].map(|n| median(&times[n]));
    let sign_in = median(&signed_in[count - count.min(100)..]);
    OfUser { sign_in, load, commit, list, end_all, idle_sweep }
}

async fn sign_in(store: &RedisStore) -> Address {
    let at = Address { shard: ShardCount::default().of_user("alice"), ..creation(0, 1, "1").at };
    let listing = Listing {
        handle: SessionHandle::random().unwrap(),
        address: Some("203.0.113.0/24".to_owned()),
        cap: None,
        began: None,
        replaces: None,
        remember: IDLE,
    };
    let sign_in =
        SignIn { user: "alice".to_owned(), method: Some("password".to_owned()), listing: Some(listing) };
    let create = Create { at, sign_in: Some(sign_in), ..creation(0, 1, "1") };
    assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
    at
}

/// How long a sweep takes that finds so many whose time is up.
async fn swept(count: usize) -> f64 {
    let place = Place::One(servers::Redis::start().unwrap());
    let store = place.store("swept", false).await;
    for nth in 0..count {
        let create = Create { idle: Duration::from_millis(20), ..creation(nth, 1, "1") };
        assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
    }
    // Longer than the last of them lives.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    assert_eq!(store.sweep(IDLE).await.unwrap(), count);
    micros(start)
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / 1e3
}
