//! The last lines of the audit trail, wherever it is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom::{
    audit::{AuditQueue, Entry},
    id::SessionRef,
    store::MemoryStore,
};
use sqlx::{AssertSqlSafe, PgPool};

/// Whose part of it.
pub(crate) enum Whose {
    Everybody,
    User(String),
    Session(SessionRef),
    Nobody,
}

/// What waits for PostgreSQL.
pub(crate) struct Queue {
    pub(crate) entries: u64,
    pub(crate) oldest: Option<Duration>,
    pub(crate) dead: u64,
    pub(crate) shed: u64,
}

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

const COLUMNS: &str = "
    SELECT to_char(occurred_at AT TIME ZONE 'UTC', 'HH24:MI:SS.MS'), kind, ref, version, user_id, reason,
           delta::text, method, route,
           (extract(epoch FROM ingested_at - occurred_at) * 1000)::int8
    FROM cloakroom.session_event";

const NEWEST: &str = " ORDER BY occurred_at DESC, version DESC LIMIT 50";

impl Trail {
    /// Everybody's.
    pub(crate) async fn latest(&self) -> Latest {
        self.of(&Whose::Everybody).await
    }

    pub(crate) async fn of(&self, whose: &Whose) -> Latest {
        match self {
            Self::Nowhere => Latest {
                lines: Vec::new(),
                waiting: None,
                trouble: Some("No trail is kept: there is no PostgreSQL for it."),
            },
            Self::Memory(store) => {
                let lines = store
                    .trail()
                    .iter()
                    .rev()
                    .filter(|entry| whose.includes(entry))
                    .take(SHOWN)
                    .map(of_entry)
                    .collect();
                Latest { lines, waiting: None, trouble: None }
            }
            Self::Postgres { pool, queue } => {
                let waiting = queue.len().await.ok();
                match whose.rows(pool).await {
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

    /// How the queue before it does, where there is one and it can be asked.
    pub(crate) async fn queue(&self) -> Option<Queue> {
        let Self::Postgres { queue, .. } = self else { return None };
        let status = queue.status().await.ok()?;
        Some(Queue {
            entries: status.entries(),
            oldest: status.oldest(),
            dead: status.dead(),
            shed: status.shed(),
        })
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

impl Whose {
    fn includes(&self, entry: &Entry) -> bool {
        let Some(payload) = entry.parse() else { return false };
        match self {
            Self::Everybody => true,
            Self::User(user) => payload.user.as_ref() == Some(user),
            Self::Session(session) => payload.reference == session.to_string(),
            Self::Nobody => false,
        }
    }

    async fn rows(&self, pool: &PgPool) -> sqlx::Result<Vec<Row>> {
        let (condition, user, session) = match self {
            Self::Everybody => ("", None, None),
            Self::User(user) => (" WHERE user_id = $1 AND namespace = 'demo'", Some(user), None),
            Self::Session(session) => {
                (" WHERE ref = $1 AND namespace = 'demo'", None, Some(session.as_bytes().to_vec()))
            }
            Self::Nobody => return Ok(Vec::new()),
        };
        // Constants, all three: what visitors type is bound.
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(format!("{COLUMNS}{condition}{NEWEST}")));
        if let Some(user) = user {
            query = query.bind(user);
        }
        if let Some(session) = session {
            query = query.bind(session);
        }
        query.fetch_all(pool).await
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

/// `2026-11-23 10:30` in UTC.
pub(crate) fn day_and_time(millis: u64) -> String {
    let (days, seconds) = (millis / 86_400_000, millis / 1000 % 86_400);
    // Howard Hinnant's `civil_from_days`, for days since 1970: years begin in March, so that a leap day is the last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}

pub(crate) fn now() -> u64 {
    let span = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
