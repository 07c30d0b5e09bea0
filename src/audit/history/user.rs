//! The sessions of one user, those that are over too.

use sqlx::PgPool;

use super::row::reference;
use crate::{
    audit::postgres::{Failure, clean_user},
    clock::Timestamp,
    error::Error,
    id::SessionRef,
};

/// A session that somebody signed in to, over all its renewals.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UserSession {
    /// The ref that it began with.
    pub first: SessionRef,
    /// The ref that it had last.
    pub last: SessionRef,
    /// When the sign-in was, by Redis' clock.
    pub began_at: Timestamp,
    /// When its last event was. Reading leaves none.
    pub last_event_at: Timestamp,
    /// Whether the trail tells that it is over.
    pub ended: bool,
    /// Why it is over.
    pub reason: Option<String>,
    /// How the user signed in.
    pub auth_method: Option<String>,
    /// What the application calls the client's device.
    pub device: Option<String>,
    /// The address that the sign-in came from.
    pub client_ip: Option<String>,
    /// How many events it has.
    pub events: u64,
}

/// The sessions that this user signed in to, latest first, at most `limit`. A session whose idle time ran out
/// may have no end in the trail.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer;
/// [`ErrorKind::Config`](crate::error::ErrorKind::Config) where the role may not read, or the schema is another.
pub async fn sessions_of(
    pool: &PgPool,
    namespace: &str,
    user: &str,
    limit: u32,
) -> Result<Vec<UserSession>, Error> {
    let rows: Result<Vec<SessionRow>, sqlx::Error> = sqlx::query_as(SESSIONS)
        .bind(namespace)
        // As the writer stored it: text that PostgreSQL takes, and no longer than an index does.
        .bind(clean_user(user))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await;
    let rows = rows.map_err(|error| Failure::from(error).without_rows("the trail cannot be read"))?;
    Ok(rows.into_iter().filter_map(SessionRow::session).collect())
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    first_ref: Vec<u8>,
    last_ref: Vec<u8>,
    began: i64,
    last_event: i64,
    ended: bool,
    reason: Option<String>,
    auth_method: Option<String>,
    device: Option<String>,
    client_ip: Option<String>,
    events: i64,
}

impl SessionRow {
    fn session(self) -> Option<UserSession> {
        let time = |millis| Timestamp::from_millis(u64::try_from(millis).unwrap_or_default());
        Some(UserSession {
            first: reference(self.first_ref)?,
            last: reference(self.last_ref)?,
            began_at: time(self.began),
            last_event_at: time(self.last_event),
            ended: self.ended,
            reason: self.reason,
            auth_method: self.auth_method,
            device: self.device,
            client_ip: self.client_ip,
            events: u64::try_from(self.events).unwrap_or_default(),
        })
    }
}

/// First the latest sign-ins, by the index on the user, and only of these the refs and the events: a user with
/// ten thousand sessions costs no more than the sessions that are asked for.
const SESSIONS: &str = "
WITH RECURSIVE begun AS MATERIALIZED (
    SELECT ref, occurred_at, auth_method, device, client_ip FROM cloakroom.session_event
    WHERE user_id = $2 AND namespace = $1 AND kind = 'signed_in' AND ref IS NOT NULL
    ORDER BY occurred_at DESC, event_id DESC LIMIT $3
), life (first_ref, ref) AS (
    SELECT ref, ref FROM begun
    UNION
    SELECT life.first_ref, event.related FROM life JOIN cloakroom.session_event AS event USING (ref)
    WHERE event.namespace = $1 AND event.kind IN ('renewed', 'reauthenticated') AND event.related IS NOT NULL
), told AS (
    SELECT life.first_ref, count(*) AS events, max(event.occurred_at) AS last_event,
           bool_or(event.kind = 'ended') AS ended,
           max(event.reason) FILTER (WHERE event.kind = 'ended') AS reason,
           (array_agg(CASE WHEN event.kind IN ('renewed', 'reauthenticated') THEN event.related ELSE event.ref END
                      ORDER BY event.version DESC NULLS LAST, event.occurred_at DESC))[1] AS last_ref
    FROM life JOIN cloakroom.session_event AS event USING (ref)
    WHERE event.namespace = $1
    GROUP BY life.first_ref
)
SELECT begun.ref AS first_ref, coalesce(told.last_ref, begun.ref) AS last_ref,
       (extract(epoch FROM begun.occurred_at) * 1000)::int8 AS began,
       (extract(epoch FROM told.last_event) * 1000)::int8 AS last_event,
       told.ended, told.reason, begun.auth_method, begun.device, host(begun.client_ip) AS client_ip, told.events
FROM begun JOIN told ON told.first_ref = begun.ref
ORDER BY begun.occurred_at DESC, begun.ref";
