//! How a [`RedisStore`] is configured.

use std::{fmt, net::IpAddr, time::Duration};

#[cfg(feature = "cluster")]
use redis::cluster::ClusterClient;
use redis::{Client, ConnectionAddr, IntoConnectionInfo, io::tcp::TcpSettings};

use super::{
    RedisStore,
    connection::{Connection, Source},
    keys::Keys,
    trail::Trail,
};
use crate::{
    audit::{AuditDetail, AuditOverflow},
    error::{Error, ErrorKind, Result},
    id::ShardCount,
};

/// Configures a [`RedisStore`]. Made by [`RedisStore::builder`].
#[must_use = "call `build()`"]
pub struct RedisStoreBuilder {
    target: Target,
    namespace: String,
    shards: u16,
    pepper: Option<Vec<u8>>,
    timeout: Duration,
    trail: Trail,
    events: bool,
    allow_plaintext: bool,
}

enum Target {
    Url(String),
    Client(Box<Client>),
    #[cfg(feature = "cluster")]
    ClusterUrls(Vec<String>),
    #[cfg(feature = "cluster")]
    ClusterClient(Box<ClusterClient>),
}

impl RedisStoreBuilder {
    pub(super) fn url(url: String) -> Self {
        Self::to(Target::Url(url))
    }

    pub(super) fn client(client: Client) -> Self {
        Self::to(Target::Client(Box::new(client)))
    }

    #[cfg(feature = "cluster")]
    pub(super) fn cluster_urls(urls: Vec<String>) -> Self {
        Self::to(Target::ClusterUrls(urls))
    }

    #[cfg(feature = "cluster")]
    pub(super) fn cluster_client(client: ClusterClient) -> Self {
        Self::to(Target::ClusterClient(Box::new(client)))
    }

    fn to(target: Target) -> Self {
        Self {
            target,
            namespace: "session".to_owned(),
            shards: ShardCount::default().get(),
            pepper: None,
            timeout: Duration::from_secs(2),
            trail: Trail::default(),
            events: false,
            allow_plaintext: false,
        }
    }

    /// What every key begins with, so that several applications can share one Redis: 1 to 32 of a–z,
    /// 0–9 and `-`. Default: `session`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How many shards the namespace has: a power of two up to 4096, the same for ever. Default: 64.
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = shards;
        self
    }

    /// A secret of at least 16 random bytes, kept outside of Redis. With it, somebody who can write to
    /// Redis cannot plant a session for a token of his own. Every instance needs the same one, and
    /// changing it ends every session. Default: none.
    pub fn pepper(mut self, pepper: impl Into<Vec<u8>>) -> Self {
        self.pepper = Some(pepper.into());
        self
    }

    /// How long a request waits for Redis at most, retries included. Default: 2 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Writes an audit entry with every change. An `AuditWriter` must drain the queue, or else it
    /// grows until its [budget](Self::audit_budget) is spent. Default: off.
    pub fn audit(mut self, audit: bool) -> Self {
        self.trail.on = audit;
        self
    }

    /// How much an audit entry tells. With [`AuditDetail::Names`] nothing can be recovered from the trail.
    /// Default: [`AuditDetail::Values`].
    pub fn audit_detail(mut self, detail: AuditDetail) -> Self {
        self.trail.detail = detail;
        self
    }

    /// How many bytes of Redis' memory entries may take while they wait for PostgreSQL, over all shards; each
    /// shard has its equal part. About 300 bytes are an entry, so the default is spent after half an hour
    /// without PostgreSQL at 1,000 changes a second. Keep it well below `maxmemory`, where Redis refuses
    /// sessions. Default: 512 MiB.
    pub fn audit_budget(mut self, bytes: u64) -> Self {
        self.trail.budget = bytes;
        self
    }

    /// What becomes of changes when the budget is spent. Default: [`AuditOverflow::Shed`].
    pub fn audit_overflow(mut self, overflow: AuditOverflow) -> Self {
        self.trail.overflow = overflow;
        self
    }

    /// Tells every change over Pub/Sub to whoever [subscribes](crate::store::SessionStore::subscribe), on any
    /// instance. Switch it on for all instances, since each tells its own changes. Default: off.
    pub fn events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }

    /// Allows an unencrypted connection to another machine, where the network itself is trusted.
    /// Default: refused.
    pub fn allow_plaintext(mut self) -> Self {
        self.allow_plaintext = true;
        self
    }

    /// Makes the store. Nothing is connected yet: see [`ready`](crate::store::SessionStore::ready).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a wrong URL, namespace, shard count or pepper, and for an unencrypted
    /// connection to another machine.
    pub fn build(self) -> Result<RedisStore> {
        let keys = Keys::new(&self.namespace, ShardCount::new(self.shards)?, self.pepper)?;
        let guard = Guard { allow_plaintext: self.allow_plaintext };
        let source = match self.target {
            Target::Url(url) => {
                let info = parse(&url)?;
                guard.check(info.addr())?;
                Source::Single(Box::new(Client::open(info.set_tcp_settings(tcp())).map_err(|_| unusable())?))
            }
            Target::Client(client) => Source::Single(client),
            #[cfg(feature = "cluster")]
            Target::ClusterUrls(urls) => {
                let mut nodes = Vec::with_capacity(urls.len());
                for url in &urls {
                    let info = parse(url)?;
                    guard.check(info.addr())?;
                    nodes.push(info);
                }
                let mut clients = Vec::with_capacity(nodes.len());
                for node in &nodes {
                    let node = node.clone().set_tcp_settings(tcp());
                    clients.push(Client::open(node).map_err(|_| unusable())?);
                }
                let builder = ClusterClient::builder(nodes)
                    .tcp_settings(tcp())
                    .connection_timeout(self.timeout)
                    .response_timeout(self.timeout);
                let client = builder.build().map_err(|error| {
                    Error::msg(
                        ErrorKind::Config,
                        "these URLs make no Redis Cluster: give the masters of one cluster",
                    )
                    .because(error)
                })?;
                Source::Cluster(Box::new(client), clients)
            }
            #[cfg(feature = "cluster")]
            Target::ClusterClient(client) => Source::Cluster(client, Vec::new()),
        };
        Ok(RedisStore::from_parts(keys, Connection::new(source, self.timeout), self.trail, self.events))
    }
}

/// Without `TCP_NODELAY`, a pipeline may wait 40 ms for an acknowledgement; redis-rs leaves it off.
fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    // A peer that vanished without a word is noticed after so long instead of a quarter of an hour.
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(Duration::from_secs(5));
    settings
}

fn parse(url: &str) -> Result<redis::ConnectionInfo> {
    // The cause would quote the URL, and with it the password.
    url.into_connection_info().map_err(|_| unusable())
}

fn unusable() -> Error {
    Error::msg(
        ErrorKind::Config,
        "this is no usable Redis URL: write redis://[user:password@]host[:port][/db], \
         rediss://… for TLS (feature `tls`), or redis+unix:///path",
    )
}

struct Guard {
    allow_plaintext: bool,
}

impl Guard {
    fn check(&self, address: &ConnectionAddr) -> Result<()> {
        let refuse = |message: &'static str| Err(Error::msg(ErrorKind::Config, message));
        match address {
            ConnectionAddr::Tcp(host, _) if !self.allow_plaintext && !is_loopback(host) => refuse(
                "an unencrypted connection to another machine: use rediss:// (feature `tls`), or \
                 `allow_plaintext()` where the network itself is trusted",
            ),
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                refuse("TLS without verification (#insecure) protects from nobody: leave it out")
            }
            _ => Ok(()),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("namespace", &self.namespace)
            .field("shards", &self.shards)
            .field("timeout", &self.timeout)
            .field("audit", &self.trail.on)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_refused_with_advice_and_without_the_password() {
        let build = |url: &str| RedisStoreBuilder::url(url.to_owned()).build();
        for (url, advice) in [
            ("http://user:s3cret@localhost", "redis://"),
            ("redis://user:s3cret@10.0.0.1", "rediss://"),
            (
                "rediss://user:s3cret@10.0.0.1/#insecure",
                if cfg!(feature = "tls") { "#insecure" } else { "tls" },
            ),
        ] {
            let error = build(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(advice), "{url}: {error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        let local = RedisStoreBuilder::url("redis://localhost".to_owned());
        assert!(local.shards(3).build().is_err());
        assert!(RedisStoreBuilder::url("redis://10.0.0.1".to_owned()).allow_plaintext().build().is_ok());
        for url in ["redis://127.0.0.1", "redis://[::1]:7000", "redis+unix:///tmp/r.sock"] {
            assert!(build(url).is_ok(), "{url}");
        }
    }
}
