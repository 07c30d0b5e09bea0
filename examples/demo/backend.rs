//! Where the demo keeps its sessions and its trail: what the environment names, else private servers,
//! else this process.

use std::{env, fmt, io};

use cloakroom::{
    audit::{self, AuditPool, AuditWriter},
    store::{MemoryStore, RedisStore},
};
use servers::{Postgres, Redis, installed};

use crate::{keeper::Keeper, timings::Bare, trail::Trail};

const INSTALL: &str = "apt-get install redis-server postgresql, or: brew install redis postgresql@17";

pub(crate) struct Backend {
    pub(crate) store: Store,
    /// To compare with.
    pub(crate) bare: Option<Bare>,
    pub(crate) trail: Trail,
    pub(crate) writer: Option<AuditWriter>,
    pub(crate) keeper: Option<Keeper>,
    /// What there is, for the banner.
    pub(crate) notes: Notes,
}

pub(crate) enum Store {
    Redis(RedisStore),
    Embedded(MemoryStore),
}

/// Two lines of the banner, and what to do about them.
pub(crate) struct Notes {
    store: String,
    trail: String,
    hints: Vec<String>,
}

/// Starts what is missing, and makes the tables.
pub(crate) async fn open() -> Result<Backend, Box<dyn std::error::Error>> {
    let mut hints = Vec::new();
    if env::var_os("DEMO_EMBEDDED").is_some() {
        return Ok(embedded("DEMO_EMBEDDED is set", hints));
    }
    let redis = match Found::redis() {
        Found::Nothing(why) => {
            if env::var_os("DATABASE_URL").is_some() {
                hints.push("DATABASE_URL is not used: the trail goes through Redis".to_owned());
            }
            return Ok(embedded(&why, hints));
        }
        redis => redis,
    };
    let postgres = Found::postgres();

    let redis_url = redis.url().map(str::to_owned);
    let (store, trail, writer) = match postgres.url() {
        None => (store(redis.url().unwrap_or_default(), false)?, Trail::Nowhere, None),
        Some(url) => {
            let store = store(redis.url().unwrap_or_default(), true)?;
            let (queue, pool) = (store.audit_queue(), AuditPool::new(url).open()?);
            audit::migrate(&pool).await.map_err(|error| format!("the trail can't be set up: {error}"))?;
            let trail = Trail::Postgres { pool: pool.clone(), queue: queue.clone() };
            (store, trail, Some(AuditWriter::new(queue, pool)))
        }
    };
    if let Found::Nothing(why) = &postgres {
        hints.push(format!("{why}. For a trail: {INSTALL}"));
    }
    let trail_note = match &postgres {
        Found::Nothing(_) => "none".to_owned(),
        found => format!("PostgreSQL, {found}"),
    };
    let notes = Notes { store: format!("Redis, {redis}"), trail: trail_note, hints };
    let keeper = match (redis.private(), postgres.private()) {
        (None, None) => None,
        (redis, postgres) => Some(Keeper::new(redis, postgres)),
    };
    let bare = redis_url.as_deref().and_then(Bare::new);
    Ok(Backend { store: Store::Redis(store), bare, trail, writer, keeper, notes })
}

fn store(url: &str, audit: bool) -> Result<RedisStore, cloakroom::error::Error> {
    RedisStore::builder(url).namespace("demo").audit(audit).events(true).build()
}

fn embedded(why: &str, mut hints: Vec<String>) -> Backend {
    let store = MemoryStore::new().with_audit();
    hints.push(format!("{why}. For the real thing: {INSTALL}"));
    Backend {
        bare: None,
        trail: Trail::Memory(store.clone()),
        store: Store::Embedded(store),
        writer: None,
        keeper: None,
        notes: Notes {
            store: "embedded, gone with this process".to_owned(),
            trail: "in memory, too".to_owned(),
            hints,
        },
    }
}

/// A server to use.
enum Found<S> {
    /// The environment names it. Its URL may hold a password, and is not shown.
    Named {
        variable: &'static str,
        url: String,
    },
    /// Our own.
    Private {
        server: S,
        url: String,
        pid: u32,
    },
    Nothing(String),
}

impl Found<Redis> {
    fn redis() -> Self {
        let installed = installed::redis_server().is_some();
        // Durable, so that what was acknowledged survives a `kill -9`.
        Self::find("REDIS_URL", "Redis", installed, || {
            let server = Redis::durable()?;
            Ok((server.url(), server.pid(), server))
        })
    }
}

impl Found<Postgres> {
    fn postgres() -> Self {
        if env::var("DEMO_TRAIL").is_ok_and(|trail| trail == "none") {
            return Self::Nothing("DEMO_TRAIL is none".to_owned());
        }
        let installed = installed::postgres().is_some();
        Self::find("DATABASE_URL", "PostgreSQL", installed, || {
            let server = Postgres::start()?;
            Ok((server.url(), server.pid(), server))
        })
    }
}

impl<S> Found<S> {
    fn find(
        variable: &'static str,
        name: &str,
        installed: bool,
        start: impl FnOnce() -> io::Result<(String, u32, S)>,
    ) -> Self {
        match env::var(variable) {
            Ok(url) if !url.is_empty() => return Self::Named { variable, url },
            _ if !installed => return Self::Nothing(format!("{name} is not installed")),
            _ => {}
        }
        match start() {
            Ok((url, pid, server)) => Self::Private { server, url, pid },
            Err(error) => Self::Nothing(format!("{name} is installed but can't be used: {error}")),
        }
    }

    fn url(&self) -> Option<&str> {
        match self {
            Self::Named { url, .. } | Self::Private { url, .. } => Some(url),
            Self::Nothing(_) => None,
        }
    }

    fn private(self) -> Option<S> {
        match self {
            Self::Private { server, .. } => Some(server),
            _ => None,
        }
    }
}

impl<S> fmt::Display for Found<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { variable, .. } => write!(f, "the one of {variable}"),
            Self::Private { url, pid, .. } => {
                write!(f, "private: {url} (pid {pid}; after kill -9 {pid} it is back in 3 s)")
            }
            Self::Nothing(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  store  {}", self.store)?;
        writeln!(f, "  trail  {}", self.trail)?;
        self.hints.iter().try_for_each(|hint| writeln!(f, "  note   {hint}"))
    }
}
