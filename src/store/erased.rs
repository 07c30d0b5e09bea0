//! The store behind a pointer, so that neither the handle nor the layer carries its type.

use std::{pin::Pin, time::Duration};

use super::{Commit, Committed, Create, Created, End, Finished, Loaded, SessionStore, Touch};
use crate::{
    error::Error,
    id::{Address, ShardCount},
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

pub(crate) trait ErasedStore: Send + Sync {
    fn shards(&self) -> ShardCount;
    fn audits(&self) -> bool;
    fn load(&self, at: Address, touch: Touch, idle: Duration) -> Answer<'_, Loaded>;
    fn create<'a>(&'a self, create: &'a Create) -> Answer<'a, Created>;
    fn commit<'a>(&'a self, commit: &'a Commit) -> Answer<'a, Committed>;
    fn end<'a>(&'a self, end: &'a End) -> Answer<'a, Finished>;
}

impl<S: SessionStore> ErasedStore for S {
    fn shards(&self) -> ShardCount {
        SessionStore::shards(self)
    }

    fn audits(&self) -> bool {
        SessionStore::audits(self)
    }

    fn load(&self, at: Address, touch: Touch, idle: Duration) -> Answer<'_, Loaded> {
        Box::pin(SessionStore::load(self, at, touch, idle))
    }

    fn create<'a>(&'a self, create: &'a Create) -> Answer<'a, Created> {
        Box::pin(SessionStore::create(self, create))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> Answer<'a, Committed> {
        Box::pin(SessionStore::commit(self, commit))
    }

    fn end<'a>(&'a self, end: &'a End) -> Answer<'a, Finished> {
        Box::pin(SessionStore::end(self, end))
    }
}
