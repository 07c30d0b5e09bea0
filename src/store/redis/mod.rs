//! Sessions in Redis 7.0 or newer, on one server or on a cluster.
//!
//! # What it stores
//!
//! A namespace has a fixed number of shards, and each shard a hash tag `{TAG}`, so that everything one
//! script touches is in one slot of a cluster. `NS` is the namespace, `HASH` is
//! `H(SHA-256("ref" ‖ token))` with H = SHA-256, or HMAC-SHA-256 under the pepper: from a dump of
//! Redis no session can be opened.
//!
//! | key | type | holds | lives |
//! |---|---|---|---|
//! | `NS:meta` | hash | `shards`, `schema` | for ever |
//! | `NS:{TAG}:s:HASH` | hash | a session | the idle timeout, from its last use |
//! | `NS:{TAG}:x:HASH` | hash | why it ended, or the ref of its successor after a renewal | a day; a minute |
//! | `NS:{TAG}:r:HASH` | hash | what a sign-in carries over, in case its reply is lost | a minute |
//! | `NS:{TAG}:u:USER` | hash | a user's sessions by their handles; `USER` is hashed like `HASH` | until the deadline of the youngest |
//! | `NS:{TAG}:due` | sorted set | when the time of each session may be up, and whose it is; about 250 bytes each | until they ended |
//! | `NS:{TAG}:epoch` | string | sessions made under a lower number are void | for ever |
//! | `NS:{TAG}:mark` | string | written behind a change that replicas must have, see `Durability` | for ever |
//! | `NS:{TAG}:ev` | stream | the last events, about 10,000; also the name of the channel that tells them | for ever |
//! | `NS:{TAG}:audit` | stream | audit entries that are not in PostgreSQL yet | until they are |
//! | `NS:{TAG}:shed` | hash | how many changes were left out of the trail, since when and until when | until the trail tells it |
//!
//! A session's fields:
//!
//! * `h`, an `h`, its version, a space, the id of the last event, and then the last 8 bytes of each of up to 15 before it,
//!   the youngest first; `older`, where there were more, a `~`, a time and those of before: 32 at least and all of the
//!   last ten seconds, up to 256.
//! * `m`, an `m` and words with a space between each two, `-` for what is not known: epoch, deadline, created (ms), idle
//!   class, authenticated at (ms), handle, renewed at (ms), the hash in its key before that, how many bytes the user and
//!   the method have; then user, method and device, one behind the other.
//! * `p`, a `p` and then all keys whose value is small, 128 bytes of JSON at most: six bytes of the version at which it
//!   changed (the first bit: secret), one byte of how long the name is, one of how long the value is, the name, and the
//!   value as JSON. `:pending` is ours: who passed the first of two factors, in a session of nobody's whose token has
//!   the class for that.
//! * `.name` for each other key, the same with 0 for how long the value is.
//!
//! Each value of the hash tells by its first byte what it is, so that a load asks for the values alone and not for the
//! names of the fields. What a load costs beside the round trip is the number of these values, not their bytes: a session
//! of eight small values with a field each took a third more of the client than with all of them in `p`, and 1,555 bytes of
//! Redis' memory instead of 1,132. A large value has a field of its own so that a change of another one leaves it alone.
//!
//! Whatever changes a session changes `h`. Who loaded a session and commits gives back what it was
//! ([`Image`](crate::record::Image)): so it sends what `h` was, and what `h` and `p` shall be if nobody was faster, and what
//! operations come to then; the script only has to see that `h` is what it was. Otherwise it takes `p` apart. What a commit
//! has made is the image for the next one of the same request.
//!
//! # What it asks
//!
//! | | commands | round trips |
//! |---|---|---|
//! | load | `HVALS`, `PEXPIRE`, `PEXPIRETIME`, `GET` in one pipeline | 1 |
//! | load by a route that peeks | `PTTL` in place of `PEXPIRE`, which a commit leaves out as well | 1 |
//! | load of a session that is not there | and `HGETALL` of what became of it, `TIME` in one pipeline | 2 |
//! | create, commit, renew, end | `EVALSHA` | 1 |
//! | sign in, without an old session | `EVALSHA` create | 1 |
//! | sign in | `HGET` generation, `EVALSHA` end of the old session, `EVALSHA` create of the new | 3 |
//! | either with a cap | and `HGETALL` of the user's index before the create | 1 more |
//! | the latter with `Reject` | and `HGETALL`, `EVALSHA` reserve instead of the `HGET` | 5 |
//! | list a user's sessions | `HGETALL`; `PTTL` of each, `GET`, `HGET`, `TIME` in one pipeline | 2 |
//! | revoke one | `HMGET` of its entry, `EVALSHA` revoke | 2 |
//! | sweep | `ZRANGE` of each shard, `TIME` in one pipeline, one for each shard on a cluster; where something is due, `ZRANGEBYSCORE` and `EVALSHA` sweep for each 100; `EVALSHA` end for each that is past its deadline or below the epoch | 1, and 2 for each 100 |
//! | raise the epoch | `GET` and `EVALSHA` epoch for each shard | 2 for each shard |
//! | wait for replicas | `EVAL` confirm, `WAIT` in one pipeline, on one of four connections of their own | 1 |
//! | revoke all or all others | `HGETALL`, `EVALSHA` revoke for each 500; again if a sign-in came between | 2 |
//! | recovery | `EVALSHA` a session, nothing where anything is | 1, pipelined |
//!
//! What a script changes besides its own session is read before, so that each of its keys is declared, and the
//! script refuses where the index changed meanwhile. A list forgets sessions that ran out by one more script.
//!
//! A load or a commit leaves `due` alone: the hour that it gives a session is noticed when the time comes that is
//! written there, once for each session and idle timeout. A session that was begun by a release before this list
//! is not on it until it is renewed; it runs out and nobody is told.
//!
//! Scripts run all or nothing on one shard, declare every key, read before they write, and are safe to
//! repeat under their event id; the client loads them again when the server has forgotten them.
//!
//! # Operations
//!
//! * `maxmemory-policy noeviction`: any other policy ends sessions at random, which the first use logs as a warning.
//!   With the trail on, an `allkeys-` policy is refused: it would drop entries that nobody has stored.
//! * `hash-max-listpack-value 1024` makes a session of 8 values of 64 bytes 939 bytes instead of 1,132, all keys included.
//! * Reads go to masters only.

mod answer;
mod arguments;
mod bell;
mod builder;
mod call;
mod change;
mod codec;
mod commit;
mod connection;
mod epoch;
mod foreseen;
mod heads;
mod index;
#[cfg(feature = "audit")]
mod inspect;
mod kept;
mod keys;
mod layout;
mod load;
#[cfg(feature = "audit")]
mod masters;
mod pulse;
mod replicas;
#[cfg(feature = "audit")]
mod restore;
mod revoke;
mod setup;
mod sweep;
mod trail;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::OnceCell;

use bell::Bell;
pub use builder::RedisStoreBuilder;
pub(crate) use connection::Connection;
pub(crate) use keys::Keys;
use trail::Trail;
#[cfg(feature = "audit")]
pub(crate) use {
    inspect::{Alive, Seen},
    restore::{Restore, Restored, Tombstone},
};

use super::{
    Commit, Committed, Confirm, Confirmed, Create, Created, End, Finished, Loaded, Raise, Reserved,
    Revocation, Revoked, SessionStore, Touch,
};
use crate::{
    audit::Payload,
    error::{Error, ErrorKind, Result},
    events::{SessionEvents, Told, Watch},
    id::{Address, ShardCount},
    record::SessionInfo,
};

/// Sessions in Redis. See the [module](self) for the keys and commands.
///
/// Making one connects to nothing, so an application starts while Redis is still down; requests are
/// answered with 503 until it is there. Clones share one connection.
///
/// ```no_run
/// use cloakroom::store::{RedisStore, SessionStore};
///
/// # async fn run() -> Result<(), cloakroom::error::Error> {
/// let store = RedisStore::builder("redis://127.0.0.1:6379").namespace("shop").build()?;
/// store.ready().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    keys: Keys,
    connection: Connection,
    trail: Trail,
    /// Where events are on.
    events: Option<Arc<Bell>>,
    replicas: replicas::Replicas,
    set_up: Arc<OnceCell<()>>,
}

impl RedisStore {
    /// A store with the default settings on the server at `url`.
    ///
    /// # Errors
    ///
    /// As [`RedisStoreBuilder::build`].
    pub fn new(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).build()
    }

    /// Configures a store on the server at `url`: `redis://`, `rediss://` (feature `tls`) or
    /// `redis+unix://`.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::url(url.into())
    }

    /// Configures a store on the server of an existing client. Set `TCP_NODELAY` on it.
    pub fn with_client(client: ::redis::Client) -> RedisStoreBuilder {
        RedisStoreBuilder::client(client)
    }

    /// Configures a store on the cluster that these masters belong to. Some of them are enough.
    #[cfg(feature = "cluster")]
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisStoreBuilder {
        RedisStoreBuilder::cluster_urls(urls.into_iter().map(Into::into).collect())
    }

    /// Configures a store on the cluster of an existing client.
    #[cfg(feature = "cluster")]
    pub fn with_cluster_client(client: ::redis::cluster::ClusterClient) -> RedisStoreBuilder {
        RedisStoreBuilder::cluster_client(client)
    }

    fn from_parts(keys: Keys, connection: Connection, trail: Trail, events: bool) -> Self {
        let events = events.then(Arc::default);
        Self {
            keys,
            connection,
            trail,
            events,
            replicas: replicas::Replicas::default(),
            set_up: Arc::default(),
        }
    }

    /// The queue that this store's changes go into, for an `AuditWriter`. It has a connection of its own.
    #[cfg(feature = "audit")]
    pub fn audit_queue(&self) -> crate::audit::AuditQueue {
        crate::audit::AuditQueue::new(self.connection.apart(), &self.keys)
    }

    async fn prepared(&self) -> Result<&Self> {
        // Once in the life of a store: it would be the most of every question's future.
        self.set_up.get_or_try_init(|| Box::pin(setup::set_up(self))).await?;
        Ok(self)
    }

    /// What trail and watchers are told, as `scripts/tell.lua` takes it: empty where there are neither.
    fn told<'a>(&self, describe: impl FnOnce() -> Payload<'a>) -> String {
        let (entry, event) = self.entry_and_event(describe);
        if event.is_empty() { entry } else { format!("E{event}\n{entry}") }
    }

    /// The same in two.
    fn entry_and_event<'a>(&self, describe: impl FnOnce() -> Payload<'a>) -> (String, String) {
        if self.events.is_none() && !self.trail.on {
            return Default::default();
        }
        let payload = describe();
        let event = self.events.as_ref().map(|_| Told::of(&payload).to_json());
        let entry = self.trail.on.then(|| self.trail.entry(payload));
        (entry.unwrap_or_default(), event.unwrap_or_default())
    }
}

impl SessionStore for RedisStore {
    fn shards(&self) -> ShardCount {
        self.keys.shards()
    }

    fn audits(&self) -> bool {
        self.trail.on
    }

    #[tracing::instrument(level = "debug", name = "session.load", skip_all, fields(session = %at.reference))]
    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        load::load(self.prepared().await?, at, touch, idle).await
    }

    #[tracing::instrument(level = "debug", name = "session.create", skip_all, fields(session = %create.at.reference))]
    async fn create(&self, create: &Create) -> Result<Created, Error> {
        super::check_count(&create.delta)?;
        change::create(self.prepared().await?, create).await
    }

    #[tracing::instrument(level = "debug", name = "session.commit", skip_all, fields(session = %commit.at.reference))]
    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        super::check_count(&commit.delta)?;
        commit::commit(self.prepared().await?, commit).await
    }

    #[tracing::instrument(level = "debug", name = "session.end", skip_all, fields(session = %end.at.reference, reason = %end.reason))]
    async fn end(&self, end: &End) -> Result<Finished, Error> {
        change::end(self.prepared().await?, end).await
    }

    #[tracing::instrument(level = "debug", name = "session.reserve", skip_all, fields(session = %create.at.reference))]
    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        index::reserve(self.prepared().await?, create).await
    }

    #[tracing::instrument(level = "debug", name = "session.list", skip_all)]
    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        revoke::list(self.prepared().await?, user).await
    }

    #[tracing::instrument(level = "debug", name = "session.revoke", skip_all, fields(reason = %revocation.reason))]
    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        revoke::revoke(self.prepared().await?, revocation).await
    }

    #[tracing::instrument(level = "debug", name = "session.sweep", skip_all)]
    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        sweep::sweep(self.prepared().await?, remember).await
    }

    #[tracing::instrument(level = "debug", name = "session.raise_epoch", skip_all)]
    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        epoch::raise(self.prepared().await?, raise).await
    }

    #[tracing::instrument(level = "debug", name = "session.confirm", skip_all, fields(session = %confirm.at.reference))]
    async fn confirm(&self, confirm: &Confirm) -> Result<Confirmed, Error> {
        replicas::confirm(self.prepared().await?, confirm).await
    }

    async fn subscribe(&self, watch: &Watch) -> Result<SessionEvents, Error> {
        let Some(bell) = &self.events else {
            let text = "this store tells no events: switch them on by `RedisStore::builder(…).events(true)`, \
                        on every instance";
            return Err(Error::msg(ErrorKind::Config, text));
        };
        let store = self.prepared().await?;
        bell.subscribe(&store.keys, &store.connection, watch).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.prepared().await?;
        // It may have been prepared hours ago.
        self.connection.query::<u64>(::redis::cmd("EXISTS").arg(self.keys.meta())).await.map(drop)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("connection", &self.connection)
            .field("shards", &self.keys.shards().get())
            .field("audit", &self.trail.on)
            .field("events", &self.events.is_some())
            .finish_non_exhaustive()
    }
}
