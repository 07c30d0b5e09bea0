//! A replica that lags takes over, or two servers are alive at once, while sessions change and writers work.
//!
//! What asynchronous replication loses is lost together: a change, and its entry if no writer had stored it. What
//! the trail has of a lost history is a branch of its own, which `verify` names, and never part of the one that went
//! on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    audit::{self, Verify, verify::Discrepancy},
    id::{Address, SessionRef},
    store::{Loaded, RedisStore, SessionStore as _, Touch},
};
use servers::{Postgres, Redis};
use uuid::Uuid;

use crate::{
    crowd::{AFTER, APART, Ack, BEFORE, Crowd, IDLE, Ledger, SHARDS, begin},
    proxy::Proxy,
    site::{self, Site, until},
};

/// By event, each place at which the trail has it: session, version, predecessor. A change whose reply was lost with
/// one primary is made again on the other: then both histories have it.
type Rows = HashMap<Uuid, BTreeSet<(Vec<u8>, i64, Option<Uuid>)>>;

async fn rows(site: &Site) -> Rows {
    let all: Vec<(Uuid, Vec<u8>, i64, Option<Uuid>)> =
        sqlx::query_as("SELECT event_id, ref, version, prev_event_id FROM cloakroom.session_event")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    let mut rows = Rows::new();
    for (event, of, version, before) in all {
        rows.entry(event).or_default().insert((of, version, before));
    }
    rows
}

/// None is there twice but one that both primaries were asked for.
fn assert_single(rows: &Rows, ledger: &Ledger) {
    let clear = ledger.acked.iter().filter(|ack| ack.began == ack.ended);
    for ack in clear {
        assert!(rows.get(&ack.event).is_none_or(|places| places.len() == 1), "{ack:?}");
    }
}

/// The history that ends where Redis is, back to the session's beginning.
async fn history(store: &RedisStore, at: Address, rows: &Rows) -> BTreeSet<Uuid> {
    let Ok(Loaded::Found(record)) = store.load(at, Touch::Peek, IDLE).await else { panic!("it is lost") };
    let (mut next, mut version) = (Some(record.base.head.as_uuid()), record.base.version.get() as i64);
    let mut history = BTreeSet::new();
    while let Some(event) = next {
        let here = |(_, is, _): &&(_, i64, _)| *is == version;
        let place = rows.get(&event).and_then(|places| places.iter().find(here));
        let (of, _, before) = place.unwrap_or_else(|| panic!("no row of version {version}"));
        assert_eq!(of.as_slice(), at.reference.as_bytes());
        history.insert(event);
        (next, version) = (*before, version - 1);
    }
    assert_eq!(version, 0, "it goes back to its beginning");
    history
}

/// Sessions of which two events follow the same one.
fn forked(rows: &Rows) -> BTreeSet<Vec<u8>> {
    let mut followers: BTreeMap<(&[u8], i64, Option<Uuid>), u32> = BTreeMap::new();
    for (of, version, before) in rows.values().flatten() {
        *followers.entry((of, *version, *before)).or_default() += 1;
    }
    followers.into_iter().filter(|(_, count)| *count > 1).map(|((of, ..), _)| of.to_vec()).collect()
}

async fn named_forked(site: &Site, store: &RedisStore) -> BTreeSet<Vec<u8>> {
    let report = Verify::new(store, site.pool.clone()).run().await.unwrap();
    let forked = |kind: &Discrepancy| matches!(kind, Discrepancy::Forked(_));
    let problems = report.problems.iter().filter(|problem| forked(&problem.kind));
    problems.map(|problem| SessionRef::as_bytes(&problem.session).to_vec()).collect()
}

async fn stored(site: &Site, ledger: &Mutex<Ledger>, which: impl Fn(&Ack) -> bool) -> usize {
    let rows = rows(site).await;
    ledger.lock().unwrap().acked.iter().filter(|ack| which(ack) && rows.contains_key(&ack.event)).count()
}

/// A primary, and a replica that hears of each change so much later.
struct Pair {
    primary: Redis,
    replica: Redis,
    _postgres: Postgres,
    /// What everybody else asks.
    proxy: Proxy,
    /// Between the two.
    link: Proxy,
    site: Site,
}

impl Pair {
    async fn start(delay: Duration) -> Self {
        let primary = Redis::start().unwrap();
        let link = Proxy::to(primary.port()).await;
        let port = link.port();
        // It waits for the link, which needs this thread.
        let following = tokio::task::spawn_blocking(move || {
            (Redis::replica_through(port, &primary).unwrap(), primary, Postgres::start().unwrap())
        });
        let (replica, primary, postgres) = following.await.unwrap();
        link.delay(delay);
        let proxy = Proxy::to(primary.port()).await;
        let site = Site::new(proxy.url(), postgres.url(), SHARDS).await;
        audit::migrate(&site.pool).await.unwrap();
        Self { primary, replica, _postgres: postgres, proxy, link, site }
    }
}

const APART_ACK: fn(&Ack) -> bool = |ack| ack.began == APART && ack.ended == APART;

/// Long enough for a change to reach a replica over this link, and its word to come back, on a busy machine.
fn patience(delay: Duration) -> Duration {
    Duration::from_millis(30) + 10 * delay
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_nothing_that_was_confirmed_and_the_lost_branch_is_named() {
    for delay in [0, 1, 5, 50] {
        fail_over(Duration::from_millis(delay)).await;
    }
}

/// The replica is this far away, then out of reach, and takes over.
async fn fail_over(delay: Duration) {
    let Pair { mut primary, replica, _postgres, proxy, link, site } = Pair::start(delay).await;
    let (sessions, created) = begin(&site.store).await;
    let phase = Arc::new(AtomicU8::new(BEFORE));
    let crowd = Crowd::start(&site.store, &sessions, &phase, patience(delay));
    let writer = site.writer().batch(10);
    let stopping = writer.stop_handle();
    let writing = tokio::spawn(writer.run());
    until("some are confirmed", async || crowd.count(|ack| ack.replicated) > 20).await;

    // What is on its way does not arrive any more. From here on nothing is confirmed, and the writer stores some of
    // what will be lost.
    link.freeze();
    phase.store(APART, Ordering::SeqCst);
    until("the trail has what will be lost", async || stored(&site, &crowd.ledger, APART_ACK).await > 20)
        .await;
    primary.kill().unwrap();
    replica.promote().unwrap();
    proxy.switch_to(replica.port());
    phase.store(AFTER, Ordering::SeqCst);
    until("everybody goes on", async || crowd.count(|ack| ack.began == AFTER) > 200).await;
    let ledger = crowd.stop().await;
    site.until_drained().await;
    stopping.stop();
    assert_eq!(writing.await.unwrap().dead, 0);

    let rows = rows(&site).await;
    let known: BTreeSet<_> = ledger.acked.iter().map(|ack| ack.event).collect();
    let unknown =
        |event: &&Uuid| !known.contains(event) && !ledger.unclear.contains(event) && !created.contains(event);
    assert_eq!(rows.keys().filter(unknown).count(), 0);
    assert_single(&rows, &ledger);
    let mut kept = BTreeSet::new();
    for at in &sessions {
        kept.extend(history(&site.store, *at, &rows).await);
    }
    let lost: Vec<_> = ledger.acked.iter().filter(|ack| !kept.contains(&ack.event)).collect();
    assert!(lost.iter().any(|ack| APART_ACK(ack)), "the checker would see a loss");
    for ack in &lost {
        assert!(ack.began != AFTER && !ack.replicated, "{ack:?}");
        // What was on its way is the last of its session.
        let later =
            |other: &&Ack| other.session == ack.session && other.nth > ack.nth && other.ended != AFTER;
        assert!(ledger.acked.iter().filter(later).all(|other| !kept.contains(&other.event)), "{ack:?}");
    }
    let forked = forked(&rows);
    assert!(!forked.is_empty(), "the trail had what was lost");
    assert_eq!(named_forked(&site, &site.store).await, forked);
}

/// The old primary goes on for those who can't see the new one, and so does a writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_primaries_make_branches_and_no_mixture() {
    let Pair { primary: _primary, replica, _postgres, proxy, link: _link, site } =
        Pair::start(Duration::ZERO).await;
    let (sessions, created) = begin(&site.store).await;
    let other_side = Proxy::to(site_port(&site)).await;
    let there = site::store(&other_side.url(), &site.namespace, SHARDS);
    let phase = Arc::new(AtomicU8::new(BEFORE));
    let here = Crowd::start(&site.store, &sessions, &phase, patience(Duration::ZERO));
    let others = Crowd::start(&there, &sessions, &phase, patience(Duration::ZERO));
    let writers = [site.writer(), site::writer(there.audit_queue(), &site.postgres_url)];
    let running = writers.map(|writer| (writer.stop_handle(), tokio::spawn(writer.run())));
    until("both sides are at work", async || here.count(|_| true).min(others.count(|_| true)) > 50).await;

    replica.promote().unwrap();
    other_side.switch_to(replica.port());
    phase.store(APART, Ordering::SeqCst);
    until("both branches are in the trail", async || {
        let (here, others) = (&here.ledger, &others.ledger);
        stored(&site, here, APART_ACK).await > 30 && stored(&site, others, APART_ACK).await > 30
    })
    .await;
    // Healed: the old primary is given up, and everybody is where the replica was.
    proxy.switch_to(replica.port());
    phase.store(AFTER, Ordering::SeqCst);
    until("everybody goes on", async || {
        here.count(|ack| ack.began == AFTER).min(others.count(|ack| ack.began == AFTER)) > 50
    })
    .await;
    let (here, others) = (here.stop().await, others.stop().await);
    site.until_drained().await;
    for (stop, running) in running {
        stop.stop();
        assert_eq!(running.await.unwrap().dead, 0);
    }

    let rows = rows(&site).await;
    let known: BTreeSet<_> = here.acked.iter().chain(&others.acked).map(|ack| ack.event).collect();
    let unclear: BTreeSet<_> = here.unclear.union(&others.unclear).chain(&created).copied().collect();
    assert_eq!(rows.keys().filter(|event| !known.contains(event) && !unclear.contains(event)).count(), 0);
    assert_single(&rows, &here);
    assert_single(&rows, &others);
    let mut kept = BTreeSet::new();
    for at in &sessions {
        kept.extend(history(&there, *at, &rows).await);
    }
    for ack in here.acked.iter().filter(|ack| APART_ACK(ack)) {
        assert!(!kept.contains(&ack.event), "a change of the branch that was given up is in the other one");
    }
    for ack in here.acked.iter().chain(&others.acked).filter(|ack| ack.began == AFTER) {
        assert!(kept.contains(&ack.event), "{ack:?}");
    }
    for ack in others.acked.iter().filter(|ack| APART_ACK(ack)) {
        assert!(kept.contains(&ack.event), "{ack:?}");
    }
    let forked = forked(&rows);
    assert!(!forked.is_empty());
    assert_eq!(named_forked(&site, &there).await, forked);
}

/// The port of the address that the site has.
fn site_port(site: &Site) -> u16 {
    site.redis_url.rsplit_once(':').unwrap().1.parse().unwrap()
}
