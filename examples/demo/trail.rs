//! The last lines of the audit trail, wherever it is kept.

use cloakroom::{
    audit::{AuditQueue, Entry},
    id::SessionRef,
    store::MemoryStore,
};
use sqlx::PgPool;

/// Where the trail is.
#[derive(Clone)]
pub(crate) enum Trail {
    Postgres { pool: PgPool, queue: AuditQueue },
    Memory(MemoryStore),
    Nowhere,
}

/// One change.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) version: String,
    pub(crate) user: String,
    /// The end's reason, or what was written.
    pub(crate) detail: String,
    pub(crate) request: String,
    /// Milliseconds from the commit in Redis to the row in PostgreSQL.
    pub(crate) arrived_after: Option<i64>,
}

/// What there is to show.
pub(crate) struct Latest {
    pub(crate) lines: Vec<Line>,
    /// Entries on their way to PostgreSQL, if that is known.
    pub(crate) waiting: Option<u64>,
    /// Why there are no lines.
    pub(crate) trouble: Option<&'static str>,
}

const SHOWN: usize = 50;

type Row = (
    String,
    String,
    Option<Vec<u8>>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

const LATEST: &str = "
    SELECT to_char(occurred_at AT TIME ZONE 'UTC', 'HH24:MI:SS.MS'), kind, ref, version, user_id, reason,
           delta::text, method, route,
           (extract(epoch FROM ingested_at - occurred_at) * 1000)::int8
    FROM cloakroom.session_event
    ORDER BY occurred_at DESC, version DESC
    LIMIT 50";

impl Trail {
    pub(crate) async fn latest(&self) -> Latest {
        match self {
            Self::Nowhere => Latest {
                lines: Vec::new(),
                waiting: None,
                trouble: Some("No trail is kept: there is no PostgreSQL for it."),
            },
            Self::Memory(store) => {
                let lines = store.trail().iter().rev().take(SHOWN).map(of_entry).collect();
                Latest { lines, waiting: None, trouble: None }
            }
            Self::Postgres { pool, queue } => {
                let waiting = queue.len().await.ok();
                match sqlx::query_as::<_, Row>(LATEST).fetch_all(pool).await {
                    Ok(rows) => {
                        let lines = rows.into_iter().map(of_row).collect();
                        Latest { lines, waiting, trouble: None }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the trail can't be read");
                        let trouble = "PostgreSQL does not answer. Entries wait in Redis until it does.";
                        Latest { lines: Vec::new(), waiting, trouble: Some(trouble) }
                    }
                }
            }
        }
    }

    /// For `/healthz`. A trail that is out of reach is no reason to take the shop down.
    pub(crate) async fn state(&self) -> &'static str {
        match self {
            Self::Nowhere => "none",
            Self::Memory(_) => "ok",
            Self::Postgres { pool, .. } => match sqlx::query("SELECT 1").execute(pool).await {
                Ok(_) => "ok",
                Err(_) => "out of reach, entries wait in Redis",
            },
        }
    }
}

fn of_row(row: Row) -> Line {
    let (at, kind, reference, version, user, reason, delta, method, route, arrived_after) = row;
    let reference = reference.and_then(|bytes| bytes.try_into().ok()).map(SessionRef::from_bytes);
    Line {
        at,
        kind,
        reference: reference.map(|reference| reference.to_string()).unwrap_or_default(),
        version: version.map(|version| version.to_string()).unwrap_or_default(),
        user: user.unwrap_or_default(),
        detail: reason.or(delta).unwrap_or_default(),
        request: format!("{} {}", method.unwrap_or_default(), route.unwrap_or_default()),
        arrived_after: Some(arrived_after),
    }
}

fn of_entry(entry: &Entry) -> Line {
    let Some(payload) = entry.parse() else { return Line::default() };
    let removed = (!payload.removed.is_empty()).then(|| format!("removed {}", payload.removed.join(", ")));
    let context = &payload.context;
    Line {
        at: time_of_day(entry.occurred_at.as_millis()),
        kind: payload.kind.into_owned(),
        reference: payload.reference.into_owned(),
        version: entry.version.to_string(),
        user: payload.user.unwrap_or_default(),
        detail: payload
            .reason
            .or(payload.set.map(|set| set.get().to_owned()))
            .or(removed)
            .unwrap_or_default(),
        request: format!(
            "{} {}",
            context.method.as_deref().unwrap_or_default(),
            context.route.as_deref().unwrap_or_default()
        ),
        arrived_after: None,
    }
}

/// `HH:MM:SS.mmm` in UTC.
fn time_of_day(millis: u64) -> String {
    let seconds = millis / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000)
}
