//! Sign-ins and sign-outs that wait for a replica: what was answered survives a failover, and what can't be is
//! said, or refused, as chosen.

use std::time::{Duration, Instant};

use cloakroom::{
    id::EventId,
    manager::SessionConfig,
    store::{Confirm, Confirmed, Durability, RedisStore, SessionStore as _},
};
use http::StatusCode;
use servers::{Cluster, Redis};

use crate::client::Client;

/// For the store as a whole; nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// For the replicas.
const WAIT: Duration = Duration::from_millis(300);

struct Pair {
    primary: Redis,
    replica: Redis,
    store: RedisStore,
}

impl Pair {
    async fn start() -> Self {
        let primary = Redis::start().unwrap();
        let replica = Redis::replica_of(&primary).unwrap();
        let store =
            RedisStore::builder(primary.url()).shards(1).timeout(PATIENCE).audit(true).build().unwrap();
        store.ready().await.unwrap();
        Self { primary, replica, store }
    }

    fn client(&self, durability: Durability) -> Client {
        Client::with(self.store.clone(), SessionConfig::default().with_durability(durability))
    }

    /// The primary is lost together with all that the replica has not heard of.
    fn fail_over(mut self) -> (Redis, RedisStore) {
        self.primary.kill().unwrap();
        self.replica.promote().unwrap();
        let store = RedisStore::builder(self.replica.url()).shards(1).audit(true).build().unwrap();
        (self.replica, store)
    }
}

fn replicated() -> Durability {
    Durability::replicated(1, WAIT).unwrap()
}

/// The primary is killed in the moment of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_the_loss_of_the_primary() {
    for _ in 0..5 {
        let pair = Pair::start().await;
        // A timeout that nothing here meets, so that each answer means what it says.
        let durability = Durability::replicated(1, Duration::from_secs(10)).unwrap().or_refuse();
        let (mut kept, mut left) = (pair.client(durability), pair.client(durability));
        left.expect("/add/login", "1").await;
        let before = left.clone();
        left.expect("/logout", "0").await;
        kept.expect("/add/login", "1").await;
        let (_replica, store) = pair.fail_over();
        kept.on(store.clone()).expect("/user", "alice").await;
        before.on(store).expect("/user", "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_a_sign_in_goes_on_or_is_refused_as_chosen() {
    let pair = Pair::start().await;
    pair.replica.pause().unwrap();
    let begun = Instant::now();
    let mut client = pair.client(replicated());
    client.expect("/add/login", "1").await;
    assert!(begun.elapsed() >= WAIT, "it waited");
    client.expect("/user", "alice").await;

    // Refused: applied all the same, and the client has its cookie.
    let mut client = pair.client(replicated().or_refuse());
    let answer = client.get("/add/login").await;
    assert_eq!((answer.status, answer.retry_after), (StatusCode::SERVICE_UNAVAILABLE, true));
    assert!(answer.set_cookie.is_some());
    client.expect("/user", "alice").await;
    let before = client.clone();
    let answer = client.get("/logout").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.set_cookie.unwrap().contains("Max-Age=0"));
    before.on(pair.store.clone()).expect("/user", "").await;

    pair.replica.resume().unwrap();
    let patient = Durability::replicated(1, Duration::from_secs(10)).unwrap().or_refuse();
    pair.client(patient).expect("/add/login", "1").await;
}

/// Waiting is the business of who waits.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_held_up() {
    let pair = Pair::start().await;
    let mut other = pair.client(Durability::Fast);
    other.expect("/add", "1").await;
    pair.replica.pause().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut client = pair.client(Durability::replicated(1, Duration::from_secs(10)).unwrap());
        waiting.push(tokio::spawn(async move { client.get("/add/login").await.status }));
    }
    // Long after they have all begun to wait, there is a lot of room for others.
    for n in 2..200_u32 {
        other.expect("/add", &n.to_string()).await;
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "they wait for as long as ten seconds");
    pair.replica.resume().unwrap();
    for task in waiting {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_decides_who_somebody_is_waits() {
    let pair = Pair::start().await;
    let mut client = pair.client(replicated());
    let waits = || pair.primary.command_calls().get("wait").copied().unwrap_or_default();
    for (path, expected) in [
        ("/add", 0),
        ("/add", 0),
        ("/add/renew", 0),
        ("/", 0),
        // The end of the old session, and the new one.
        ("/login", 2),
        ("/prove", 1),
        ("/sure/add", 1),
        ("/logout", 1),
        ("/logout", 0),
    ] {
        let before = waits();
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(waits() - before, expected, "{path}");
    }
}

#[tokio::test]
async fn what_a_failover_has_lost_is_not_confirmed() {
    let pair = Pair::start().await;
    let at = cloakroom::id::Address {
        reference: cloakroom::id::SessionRef::from_bytes([7; 32]),
        shard: pair.store.shards().iter().next().unwrap(),
        class: cloakroom::id::IdleClass::default(),
    };
    let replicas = 1.try_into().unwrap();
    let lost = Confirm { at, event: EventId::new(), replicas, timeout: WAIT };
    assert_eq!(pair.store.confirm(&lost).await.unwrap(), Confirmed::Lost);
}

#[test]
fn wrong_settings_are_refused() {
    assert!(Durability::replicated(0, WAIT).is_err());
    assert!(Durability::replicated(1, Duration::ZERO).is_err());
    assert!(Durability::replicated(1, Duration::from_secs(11)).is_err());
}

/// `WAIT` goes to the session's own master, and to no other.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_the_sessions_own_master_is_asked() {
    let cluster = Cluster::start(3).unwrap();
    let store = RedisStore::cluster(cluster.urls()).timeout(PATIENCE).build().unwrap();
    // These masters have no replicas.
    let config = SessionConfig::default().with_durability(replicated().or_refuse());
    for _ in 0..4 {
        let mut client = Client::with(store.clone(), config.clone());
        for node in cluster.nodes() {
            node.reset_stats().unwrap();
        }
        assert_eq!(client.get("/add/login").await.status, StatusCode::SERVICE_UNAVAILABLE);
        let asked: Vec<_> = cluster.nodes().iter().map(servers::Redis::command_calls).collect();
        let at: Vec<_> = asked.iter().filter(|calls| calls.contains_key("wait")).collect();
        assert_eq!(at.len(), 1, "{asked:?}");
        assert_eq!(at[0].get("eval"), at[0].get("wait"), "{asked:?}");
    }
}
