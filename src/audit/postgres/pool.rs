//! Connections for the writer.

use std::{net::IpAddr, time::Duration};

use sqlx::{
    Executor as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use crate::error::{Error, ErrorKind};

/// Makes the writer's own connections to PostgreSQL, with bounds that let no statement hang.
///
/// | | default |
/// |---|---|
/// | connections | at most 6 |
/// | statement timeout | 5 s |
/// | lock timeout | 1 s |
/// | connect timeout | 2 s |
/// | `synchronous_commit` | `on`, where the server's default is `off`: entries are deleted from Redis after the commit, so it must be a durable one |
///
/// TLS is as the URL's `sslmode` says. Where it says nothing, sqlx's default is `prefer`, which falls back
/// to plain text whenever somebody on the way says that the server has no TLS, and `require` checks no
/// certificate. The trail holds session values, so to a host that is not this machine only `verify-full`
/// and `verify-ca` are taken (which need the feature `tls`), unless [`allow_plaintext`](Self::allow_plaintext)
/// is called. Loopback addresses and unix sockets need no TLS.
///
/// The timeouts are sent as start-up options: PgBouncer must be told to pass them
/// (`ignore_startup_parameters = options` drops them).
///
/// ```
/// use cloakroom::{audit::AuditPool, error::ErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert!(AuditPool::new("postgres://app:secret@localhost/trail").open().is_ok());
/// let refused = AuditPool::new("postgres://app:secret@db.example/trail?sslmode=require").open();
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
/// # }
/// ```
#[must_use]
pub struct AuditPool {
    url: String,
    connections: u32,
    plaintext: bool,
}

impl AuditPool {
    /// Takes a URL such as `postgres://user:password@host/database?sslmode=verify-full`. What it leaves
    /// out comes from the environment: `PGHOST`, `PGPASSWORD`, `PGSSLMODE` …
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), connections: 6, plaintext: false }
    }

    /// How many connections there are at most. Default: 6, which is enough for
    /// [`concurrency`](super::super::AuditWriter::concurrency) 4 and two to spare.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Goes on without a verified TLS connection to another machine. Whoever is on the way can then read
    /// and change the trail: for a network that you trust as you trust the machine.
    pub fn allow_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Makes the pool. It connects when it is first used, so an application starts also while PostgreSQL
    /// is down. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the URL cannot be read, or asks for a connection that could be overheard.
    pub fn open(self) -> Result<PgPool, Error> {
        // The cause is left out: no part of a URL that holds a password goes into a message.
        let unreadable = || {
            Error::msg(
                ErrorKind::Config,
                "the PostgreSQL URL cannot be read: postgres://user:password@host:port/database is expected",
            )
        };
        // sqlx takes any scheme, and another database's server would seem to be an outage.
        if !["postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(unreadable());
        }
        let options: PgConnectOptions = self.url.parse().map_err(|_| unreadable())?;
        let verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa);
        if verified && !cfg!(feature = "tls") {
            return Err(Error::msg(
                ErrorKind::Config,
                "sslmode asks for TLS: enable cloakroom's feature `tls`",
            ));
        }
        if !verified && !self.plaintext && !is_this_machine(&options) {
            return Err(Error::msg(
                ErrorKind::Config,
                "PostgreSQL is on another host: add `sslmode=verify-full` to its URL, or call `allow_plaintext()`",
            ));
        }
        let options = options
            .application_name("cloakroom")
            .options([("statement_timeout", "5s"), ("lock_timeout", "1s")]);
        let pool = PgPoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(Duration::from_secs(2))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection
                        .execute(
                            "SELECT set_config('synchronous_commit', 'on', false) \
                             WHERE current_setting('synchronous_commit') = 'off'",
                        )
                        .await
                        .map(drop)
                })
            });
        Ok(pool.connect_lazy_with(options))
    }
}

fn is_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']');
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_without_a_certificate() {
        let table = [
            ("postgres://u@localhost/d", true),
            ("postgres://u@127.0.0.1:5433/d", true),
            ("postgres://u@127.8.0.1/d", true),
            ("postgres://u@[::1]/d", true),
            ("postgres://u@%2Ftmp%2Fpg/d", true),
            ("postgres:///d?host=/tmp/pg", true),
            ("postgres://u@localhost.example/d", false),
            ("postgres://u@127.0.0.1.example/d", false),
            ("postgres://u@10.0.0.7/d", false),
            ("postgres://u@db/d", false),
            ("postgres://u@localhost/d?host=db", false),
            ("postgres://u@localhost/d?hostaddr=10.0.0.7", false),
            ("postgres://u@[2001:db8::1]/d", false),
        ];
        for (url, expected) in table {
            assert_eq!(is_this_machine(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn another_host_needs_a_verified_certificate() {
        for mode in ["disable", "allow", "prefer", "require"] {
            let url = format!("postgres://u:hunter2@db.example/d?sslmode={mode}");
            let error = AuditPool::new(url.as_str()).open().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            assert!(AuditPool::new(url).allow_plaintext().open().is_ok());
        }
        let verified = AuditPool::new("postgres://u@db.example/d?sslmode=verify-full").open();
        assert_eq!(verified.is_ok(), cfg!(feature = "tls"));
    }

    #[tokio::test]
    async fn a_password_is_in_no_message() {
        for url in [
            "postgres://u:hunter2@h:99999/d",
            "hunter2",
            "mysql://u:hunter2@localhost/d",
            "postgres://u:hunter2@h/d?sslmode=hunter2",
        ] {
            let error = AuditPool::new(url).open().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
