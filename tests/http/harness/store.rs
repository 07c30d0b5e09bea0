//! Any of the stores, as one type.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom::{
    error::Error,
    id::{Address, ShardCount},
    record::SessionInfo,
    store::{
        Commit, Committed, Create, Created, End, Finished, Loaded, MemoryStore, Raise, RedisStore, Reserved,
        Revocation, Revoked, SessionStore, Touch,
    },
};

use super::gate::Gate;

#[derive(Clone)]
pub(crate) struct AnyStore {
    pub(super) kind: Kind,
    /// Where the next session that is made has to pass.
    before_create: Arc<Mutex<Option<Gate>>>,
}

#[derive(Clone)]
pub(super) enum Kind {
    Memory(MemoryStore),
    Redis(RedisStore),
}

impl AnyStore {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, before_create: Arc::default() }
    }

    /// Holds the next session that is made, after whatever came before it.
    pub(crate) fn hold_create(&self) -> Gate {
        let gate = Gate::new();
        *self.before_create.lock().unwrap() = Some(gate.clone());
        gate
    }
}

macro_rules! both {
    ($self:ident, $store:ident => $call:expr) => {
        match &$self.kind {
            Kind::Memory($store) => $call,
            Kind::Redis($store) => $call,
        }
    };
}

impl SessionStore for AnyStore {
    fn shards(&self) -> ShardCount {
        both!(self, store => store.shards())
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        both!(self, store => store.load(at, touch, idle).await)
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        let gate = self.before_create.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        both!(self, store => store.create(create).await)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        both!(self, store => store.commit(commit).await)
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        both!(self, store => store.end(end).await)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        both!(self, store => store.reserve(create).await)
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        both!(self, store => store.sessions_of(user).await)
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        both!(self, store => store.revoke(revocation).await)
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        both!(self, store => store.raise_epoch(raise).await)
    }

    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        both!(self, store => store.sweep(remember).await)
    }

    async fn ready(&self) -> Result<(), Error> {
        both!(self, store => store.ready().await)
    }
}
