//! What all subcommands share: where Redis and PostgreSQL are.

use std::{fmt, str::FromStr, time::Duration};

use clap::Args;
use cloakroom::{
    audit::{AuditPool, AuditQueue, check_schema},
    store::{RedisStore, redis::RedisStoreBuilder},
};
use sqlx::PgPool;

use crate::exit::{Failure, Result};

/// Options of every subcommand.
#[derive(Args)]
pub(crate) struct Options {
    /// Redis: redis://, rediss://, redis+unix://; several masters of a cluster with commas between them
    #[arg(long, global = true, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    redis: Option<Secret>,
    /// PostgreSQL: postgres://user:password@host/database?sslmode=verify-full
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    postgres: Option<Secret>,
    /// The sessions' namespace, as the application configures it
    #[arg(long, global = true, env = "CLOAKROOM_NAMESPACE", default_value = "session")]
    namespace: String,
    /// How many shards the namespace has, to be checked [default: as Redis says]
    #[arg(long, global = true, env = "CLOAKROOM_SHARDS")]
    shards: Option<u16>,
    /// Allows unencrypted connections to other machines, where the network itself is trusted
    #[arg(long, global = true)]
    allow_plaintext: bool,
}

/// A URL that may hold a password: no Debug and no Display tells it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The options, and what is made of them.
pub(crate) struct Context {
    options: Options,
}

/// How long one question to Redis may take. Longer than a request's: nobody waits for a page here.
const PATIENCE: Duration = Duration::from_secs(5);

impl Context {
    pub(crate) fn new(options: Options) -> Self {
        Self { options }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.options.namespace
    }

    /// The shard count that was asked for.
    pub(crate) fn shards(&self) -> Option<u16> {
        self.options.shards
    }

    /// A store with so many shards. It connects when it is first asked, and sets no namespace up.
    pub(crate) fn store(&self, shards: u16) -> Result<RedisStore> {
        Ok(self.builder(shards)?.build()?)
    }

    /// The same, to be configured further.
    pub(crate) fn builder(&self, shards: u16) -> Result<RedisStoreBuilder> {
        let Some(Secret(url)) = &self.options.redis else {
            return Err(Failure::usage("where is Redis? Give --redis URL, or set REDIS_URL"));
        };
        let urls: Vec<&str> = url.split(',').map(str::trim).collect();
        let builder = match urls.as_slice() {
            [url] => RedisStore::builder(*url),
            urls => RedisStore::cluster(urls.iter().copied()),
        };
        let builder = builder.namespace(self.namespace()).shards(shards).timeout(PATIENCE);
        Ok(if self.options.allow_plaintext { builder.allow_plaintext() } else { builder })
    }

    /// The queue of a namespace that exists and has as many shards as was asked for.
    pub(crate) async fn queue(&self) -> Result<AuditQueue> {
        match self.queue_if_there().await? {
            Some(queue) => Ok(queue),
            None => Err(Failure::mismatch(format!(
                "there is no namespace {:?} in this Redis: no application has used it yet (--namespace, \
                 CLOAKROOM_NAMESPACE)",
                self.namespace()
            ))),
        }
    }

    /// The same, or `None` where no application has used the namespace yet.
    pub(crate) async fn queue_if_there(&self) -> Result<Option<AuditQueue>> {
        // With any number of shards the record can be read.
        let probe = self.store(self.shards().unwrap_or(1))?.audit_queue();
        let Some(recorded) = probe.recorded_shards().await? else { return Ok(None) };
        if self.shards().is_some() {
            probe.check_namespace().await?;
            return Ok(Some(probe));
        }
        Ok(Some(self.store(recorded)?.audit_queue()))
    }

    /// How many shards the namespace has: as Redis says or, where it has forgotten that with everything else, as
    /// was given.
    pub(crate) async fn shard_count(&self) -> Result<u16> {
        let recorded = match self.queue_if_there().await? {
            Some(queue) => u16::try_from(queue.shards()).ok(),
            None => self.shards(),
        };
        recorded.ok_or_else(|| {
            Failure::mismatch(format!(
                "this Redis knows nothing of the namespace {:?}: if it was lost, say how many shards it had \
                 (--shards, CLOAKROOM_SHARDS), as the application configures it (its default is 64)",
                self.namespace()
            ))
        })
    }

    /// Connections to PostgreSQL. Nothing is connected yet.
    pub(crate) fn pool(&self) -> Result<PgPool> {
        let Some(Secret(url)) = &self.options.postgres else {
            return Err(Failure::usage("where is PostgreSQL? Give --postgres URL, or set DATABASE_URL"));
        };
        let pool = AuditPool::new(url.as_str());
        let pool = if self.options.allow_plaintext { pool.allow_plaintext() } else { pool };
        Ok(pool.open()?)
    }

    /// Connections to a PostgreSQL whose schema is up to date.
    pub(crate) async fn migrated_pool(&self) -> Result<PgPool> {
        let pool = self.pool()?;
        check_schema(&pool).await?;
        Ok(pool)
    }
}
