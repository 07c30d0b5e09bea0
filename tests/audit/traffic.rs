//! Sessions that change, and a ledger of what was acknowledged.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom::{
    audit::{EntryKind, Payload, RequestContext},
    id::{Address, EventId, IdleClass, SessionRef, ShardCount},
    record::{Base, Change, Delta, FieldName, Json, Version, Write},
    store::{Commit, Committed, Create, Created, Policy, RedisStore, SessionStore, Touch},
};
use tokio::task::JoinSet;

/// One acknowledged change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Acked {
    pub event: EventId,
    pub reference: SessionRef,
    pub version: u64,
}

/// Sessions that commit as fast as they can, until they are told to stop.
pub struct Traffic {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Vec<Acked>>>,
    acked: Arc<AtomicU64>,
}

impl Traffic {
    /// `pause` is how long each session rests after a commit.
    pub fn start(store: &RedisStore, shards: u16, sessions: u16, pause: Duration) -> Self {
        let traffic = Self {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            ledger: Arc::default(),
            acked: Arc::default(),
        };
        let Self { mut tasks, stop, ledger, acked } = traffic;
        for number in 0..sessions {
            let (store, at) = (store.clone(), address(number % shards, shards));
            let (stop, ledger, acked) = (stop.clone(), ledger.clone(), acked.clone());
            tasks.spawn(async move {
                let mut base = None;
                while !stop.load(Ordering::Relaxed) {
                    let event = EventId::new();
                    let version = change(&store, at, base, event).await;
                    base = Some(Base { version, head: event });
                    acked.fetch_add(1, Ordering::Relaxed);
                    ledger.lock().unwrap().push(Acked {
                        event,
                        reference: at.reference,
                        version: version.get(),
                    });
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { tasks, stop, ledger, acked }
    }

    /// How many changes were acknowledged so far.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Every change is settled when this answers.
    pub async fn stop(mut self) -> Vec<Acked> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(session) = self.tasks.join_next().await {
            session.unwrap();
        }
        std::mem::take(&mut self.ledger.lock().unwrap())
    }
}

async fn change(store: &RedisStore, at: Address, base: Option<Base>, event: EventId) -> Version {
    let (idle, context) = (Duration::from_secs(3600), Arc::new(RequestContext::default()));
    let delta = delta("cart", r#"["tea","a cup","a saucer"]"#);
    let Some(base) = base else {
        let create = Create {
            at,
            event,
            idle,
            absolute: 10 * idle,
            sign_in: None,
            device: None,
            delta,
            predecessor: None,
            context,
        };
        assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
        return Version::new(1);
    };
    let commit = Commit {
        at,
        event,
        base,
        image: Default::default(),
        delta,
        policy: Policy::Strict,
        idle,
        touch: Touch::Refresh,
        renewal: None,
        user: None,
        context,
    };
    match store.commit(&commit).await.unwrap() {
        Committed::Committed { version, .. } => version,
        other => panic!("nobody else commits to this session: {other:?}"),
    }
}

fn delta(key: &str, value: &str) -> Delta {
    let write = Write::Set(Json::from_text(value));
    let change = Change { write, watched: None, secret: false };
    Delta { clear: false, changes: [(FieldName::new(key).unwrap(), change)].into() }
}

/// As a fresh token on this shard has it.
pub fn address(shard: u16, shards: u16) -> Address {
    let shard = ShardCount::new(shards).unwrap().iter().nth(usize::from(shard)).unwrap();
    Address { reference: reference(), shard, class: IdleClass::default() }
}

pub fn reference() -> SessionRef {
    let mut bytes = [0; 32];
    for part in bytes.chunks_mut(8) {
        // The last half of an event id is random, which saves a dependency.
        part.copy_from_slice(&EventId::new().as_bytes()[8..]);
    }
    SessionRef::from_bytes(bytes)
}

/// An entry as the commit scripts write it, for streams that are written by hand.
#[derive(Clone, Debug)]
pub struct ByHand {
    pub event: EventId,
    pub reference: SessionRef,
    pub version: u64,
    pub predecessor: EventId,
    pub payload: String,
}

impl ByHand {
    pub fn new(user: &str) -> Self {
        let (event, reference) = (EventId::new(), reference());
        let payload = serde_json::json!({
            "schema": Payload::SCHEMA, "id": event.to_string(), "kind": EntryKind::Changed.as_str(),
            "ref": reference.to_string(), "user": user, "set": { "cart": ["tea"] }, "context": {},
        });
        Self { event, reference, version: 1, predecessor: EventId::NONE, payload: payload.to_string() }
    }

    /// The same entry with `old` replaced in its JSON.
    pub fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.payload.contains(old));
        self.payload = self.payload.replace(old, new);
        self
    }

    pub fn acked(&self) -> Acked {
        Acked { event: self.event, reference: self.reference, version: self.version }
    }
}

/// `id` is `*`, or a stream id.
pub async fn add(redis: &mut redis::aio::MultiplexedConnection, stream: &str, id: &str, entries: &[ByHand]) {
    for entries in entries.chunks(1000) {
        let mut pipe = redis::pipe();
        for entry in entries {
            pipe.cmd("XADD").arg(stream).arg(id).arg("v").arg(entry.version.to_string());
            pipe.arg("p").arg(entry.predecessor.as_bytes()).arg("e").arg(&entry.payload).ignore();
        }
        pipe.query_async::<()>(redis).await.unwrap();
    }
}
