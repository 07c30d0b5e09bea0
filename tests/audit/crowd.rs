//! Visitors who change their sessions while one Redis takes the place of another.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    audit::RequestContext,
    id::{Address, EventId},
    record::{Base, Change, Delta, FieldName, Json, Write},
    store::{
        Commit, Committed, Confirm, Confirmed, Create, Created, Loaded, Policy, RedisStore,
        SessionStore as _, Touch,
    },
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::traffic::address;

pub const SHARDS: u16 = 4;
pub const IDLE: Duration = Duration::from_secs(3600);

pub const BEFORE: u8 = 0;
/// What happens now on the old primary, its replica does not hear of.
pub const APART: u8 = 1;
pub const AFTER: u8 = 2;

/// One acknowledged change.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    pub session: usize,
    /// In the order of its session.
    pub nth: u64,
    pub event: Uuid,
    pub began: u8,
    pub ended: u8,
    pub replicated: bool,
}

#[derive(Default)]
pub struct Ledger {
    pub acked: Vec<Ack>,
    /// Changes whose outcome nobody knows.
    pub unclear: BTreeSet<Uuid>,
}

/// Visitors who change their sessions and go on whatever happens.
pub struct Crowd {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    pub ledger: Arc<Mutex<Ledger>>,
}

impl Crowd {
    /// The visitors of every other session wait for a replica, for so long, after each change; the others go on.
    pub fn start(
        store: &RedisStore,
        sessions: &[Address],
        phase: &Arc<AtomicU8>,
        patience: Duration,
    ) -> Self {
        let mut crowd = Self { tasks: JoinSet::new(), stop: Arc::default(), ledger: Arc::default() };
        for (session, at) in sessions.iter().copied().enumerate() {
            let (store, phase) = (store.clone(), Arc::clone(phase));
            let (stop, ledger) = (Arc::clone(&crowd.stop), Arc::clone(&crowd.ledger));
            crowd.tasks.spawn(async move {
                for nth in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let (event, began) = (EventId::new(), phase.load(Ordering::SeqCst));
                    match change(&store, at, event).await {
                        Some(true) => {
                            let replicated =
                                session.is_multiple_of(2) && confirmed(&store, at, event, patience).await;
                            let (event, ended) = (event.as_uuid(), phase.load(Ordering::SeqCst));
                            ledger.lock().unwrap().acked.push(Ack {
                                session,
                                nth,
                                event,
                                began,
                                ended,
                                replicated,
                            });
                        }
                        Some(false) => {}
                        None => drop(ledger.lock().unwrap().unclear.insert(event.as_uuid())),
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        crowd
    }

    pub fn count(&self, which: impl Fn(&Ack) -> bool) -> usize {
        self.ledger.lock().unwrap().acked.iter().filter(|ack| which(ack)).count()
    }

    pub async fn stop(mut self) -> Ledger {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(visitor) = self.tasks.join_next().await {
            visitor.unwrap();
        }
        std::mem::take(&mut self.ledger.lock().unwrap())
    }
}

/// Whether it happened, or `None` where that is not known.
async fn change(store: &RedisStore, at: Address, event: EventId) -> Option<bool> {
    let Ok(Loaded::Found(record)) = store.load(at, Touch::Refresh, IDLE).await else { return Some(false) };
    let write = Write::Set(Json::from_text(format!("\"{event}\"")));
    let changes = [(FieldName::new("last").unwrap(), Change { write, watched: None, secret: false })].into();
    let commit = Commit {
        at,
        event,
        base: Base { version: record.base.version, head: record.base.head },
        image: Default::default(),
        delta: Delta { clear: false, changes },
        policy: Policy::Merge,
        idle: IDLE,
        touch: Touch::Refresh,
        renewal: None,
        user: None,
        context: RequestContext::default().into(),
    };
    match store.commit(&commit).await {
        Ok(Committed::Committed { .. }) => Some(true),
        Ok(_) => Some(false),
        Err(_) => None,
    }
}

async fn confirmed(store: &RedisStore, at: Address, event: EventId, timeout: Duration) -> bool {
    let confirm = Confirm { at, event, replicas: 1.try_into().unwrap(), timeout };
    matches!(store.confirm(&confirm).await, Ok(Confirmed::Replicated))
}

pub async fn begin(store: &RedisStore) -> (Vec<Address>, BTreeSet<Uuid>) {
    begin_on(store, SHARDS).await
}

/// A session on each of so many shards, and the events by which they began.
pub async fn begin_on(store: &RedisStore, shards: u16) -> (Vec<Address>, BTreeSet<Uuid>) {
    let (mut sessions, mut events) = (Vec::new(), BTreeSet::new());
    for shard in 0..shards {
        let (at, event) = (address(shard, shards), EventId::new());
        let create = Create {
            at,
            event,
            idle: IDLE,
            absolute: 10 * IDLE,
            sign_in: None,
            device: None,
            delta: Delta::default(),
            predecessor: None,
            context: RequestContext::default().into(),
        };
        assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
        sessions.push(at);
        events.insert(event.as_uuid());
    }
    (sessions, events)
}
