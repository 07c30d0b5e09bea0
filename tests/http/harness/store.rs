//! Any of the stores, as one type.

use std::time::Duration;

use cloakroom::{
    error::Error,
    id::{Address, ShardCount},
    store::{
        Commit, Committed, Create, Created, End, Finished, Loaded, MemoryStore, RedisStore, SessionStore,
        Touch,
    },
};

#[derive(Clone)]
pub(crate) enum AnyStore {
    Memory(MemoryStore),
    Redis(RedisStore),
}

macro_rules! both {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Memory($store) => $call,
            AnyStore::Redis($store) => $call,
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
        both!(self, store => store.create(create).await)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        both!(self, store => store.commit(commit).await)
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        both!(self, store => store.end(end).await)
    }

    async fn ready(&self) -> Result<(), Error> {
        both!(self, store => store.ready().await)
    }
}
