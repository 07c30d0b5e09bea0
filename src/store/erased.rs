//! The store behind a pointer, so that neither the handle nor the layer carries its type.

use std::{pin::Pin, time::Duration};

use super::{
    Commit, Committed, Confirm, Confirmed, Create, Created, End, Finished, Loaded, Raise, Reserved,
    Revocation, Revoked, SessionStore, Touch,
};
use crate::{
    error::Error,
    events::{SessionEvents, Watch},
    id::{Address, ShardCount},
    record::SessionInfo,
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

pub(crate) trait ErasedStore: Send + Sync {
    fn shards(&self) -> ShardCount;
    fn audits(&self) -> bool;
    fn load(&self, at: Address, touch: Touch, idle: Duration) -> Answer<'_, Loaded>;
    fn create<'a>(&'a self, create: &'a Create) -> Answer<'a, Created>;
    fn commit<'a>(&'a self, commit: &'a Commit) -> Answer<'a, Committed>;
    fn end<'a>(&'a self, end: &'a End) -> Answer<'a, Finished>;
    fn reserve<'a>(&'a self, create: &'a Create) -> Answer<'a, Reserved>;
    fn sessions_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<SessionInfo>>;
    fn revoke<'a>(&'a self, revocation: &'a Revocation) -> Answer<'a, Revoked>;
    fn raise_epoch<'a>(&'a self, raise: &'a Raise) -> Answer<'a, u64>;
    fn sweep(&self, remember: Duration) -> Answer<'_, usize>;
    fn confirm<'a>(&'a self, confirm: &'a Confirm) -> Answer<'a, Confirmed>;
    fn subscribe<'a>(&'a self, watch: &'a Watch) -> Answer<'a, SessionEvents>;
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

    fn reserve<'a>(&'a self, create: &'a Create) -> Answer<'a, Reserved> {
        Box::pin(SessionStore::reserve(self, create))
    }

    fn sessions_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<SessionInfo>> {
        Box::pin(SessionStore::sessions_of(self, user))
    }

    fn revoke<'a>(&'a self, revocation: &'a Revocation) -> Answer<'a, Revoked> {
        Box::pin(SessionStore::revoke(self, revocation))
    }

    fn raise_epoch<'a>(&'a self, raise: &'a Raise) -> Answer<'a, u64> {
        Box::pin(SessionStore::raise_epoch(self, raise))
    }

    fn sweep(&self, remember: Duration) -> Answer<'_, usize> {
        Box::pin(SessionStore::sweep(self, remember))
    }

    fn confirm<'a>(&'a self, confirm: &'a Confirm) -> Answer<'a, Confirmed> {
        Box::pin(SessionStore::confirm(self, confirm))
    }

    fn subscribe<'a>(&'a self, watch: &'a Watch) -> Answer<'a, SessionEvents> {
        Box::pin(SessionStore::subscribe(self, watch))
    }
}
