//! A session's history, as PostgreSQL tells it: who wrote which key when, and what it held at a time.
//!
//! For people who look into a case, not for the hot path. It tells what the writer has stored so far; what
//! still waits in Redis is not in it.

mod event;
mod row;
mod state;
mod user;

pub use event::HistoryEvent;
pub use state::{KeyState, KeyValue, SessionState};
pub use user::{UserSession, sessions_of};

use sqlx::PgPool;

use super::postgres::Failure;
use crate::{clock::Timestamp, error::Error, id::SessionRef};
use row::EventRow;

/// Every event of a session, oldest first. `reference` may be any ref that the session ever had: renewals are
/// followed in both directions. `until` leaves out what happened later, by Redis' clock.
///
/// Nothing is found for a ref that the trail does not know, or knows in another namespace.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer;
/// [`ErrorKind::Config`](crate::error::ErrorKind::Config) where the role may not read, or the schema is another.
pub async fn history(
    pool: &PgPool,
    namespace: &str,
    reference: SessionRef,
    until: Option<Timestamp>,
) -> Result<Vec<HistoryEvent>, Error> {
    let rows: Result<Vec<EventRow>, sqlx::Error> = sqlx::query_as(HISTORY)
        .bind(namespace)
        .bind(reference.as_bytes().as_slice())
        .bind(until.map(|until| i64::try_from(until.as_millis()).unwrap_or(i64::MAX)))
        .fetch_all(pool)
        .await;
    let rows = rows.map_err(|error| Failure::from(error).without_rows("the trail cannot be read"))?;
    let mut events: Vec<_> = rows.into_iter().map(HistoryEvent::from).collect();
    event::mark_forks(&mut events);
    Ok(events)
}

/// A renewal's event has the old ref and names the new one; the new ref's first event names the renewal as
/// the one before. So both directions go by an index: (ref, version), and the primary key's event_id.
const HISTORY: &str = "
WITH RECURSIVE refs (ref) AS (
    SELECT $2::bytea
    UNION
    SELECT step.ref FROM refs CROSS JOIN LATERAL (
        SELECT event.related AS ref FROM cloakroom.session_event AS event
        WHERE event.ref = refs.ref AND event.namespace = $1
          AND event.kind IN ('renewed', 'reauthenticated') AND event.related IS NOT NULL
        UNION ALL
        SELECT before.ref FROM cloakroom.session_event AS event
        JOIN cloakroom.session_event AS before ON before.event_id = event.prev_event_id
        WHERE event.ref = refs.ref AND event.namespace = $1 AND before.namespace = $1
          AND before.kind IN ('renewed', 'reauthenticated') AND before.ref IS NOT NULL
    ) AS step
)
SELECT event_id, prev_event_id, (extract(epoch FROM occurred_at) * 1000)::int8 AS at, ref, version, kind, reason,
       user_id, auth_method, device, related, method, route, host(client_ip) AS client_ip, trace_id, flags,
       delta::text AS delta, delta_raw
FROM cloakroom.session_event JOIN refs USING (ref)
WHERE namespace = $1 AND ($3::int8 IS NULL OR occurred_at <= timestamptz 'epoch' + $3 * interval '1 millisecond')
ORDER BY version NULLS LAST, occurred_at, event_id";
