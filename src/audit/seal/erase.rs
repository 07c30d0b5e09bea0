//! Taking a user's values out.

use sqlx::PgPool;

use crate::{
    audit::{
        erasure::erasure,
        postgres::{Failure, clean_user},
    },
    error::Error,
};

/// What [`erase`] took out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// Rows whose values are gone. They verify as before.
    pub rows: u64,
    /// Of these, rows that no writer sealed: nothing shows any more that they held something.
    pub unsealed: u64,
    /// Notes of dead letters whose payloads are gone.
    pub notes: u64,
}

/// The rows of a user's sessions, over all renewals, and of the sessions from which the user signed in. A note
/// of a dead letter holds the whole payload, so what it tells goes too; that there was one stays.
const ERASE: &str = "
WITH RECURSIVE theirs (ref) AS (
    SELECT DISTINCT ref FROM cloakroom.session_event WHERE namespace = $1 AND user_id = $2 AND ref IS NOT NULL
    UNION
    SELECT e.related FROM theirs JOIN cloakroom.session_event AS e USING (ref)
    WHERE e.namespace = $1 AND e.related IS NOT NULL
      AND e.kind IN ('signed_in', 'created', 'renewed', 'reauthenticated')
), erased AS (
    UPDATE cloakroom.session_event AS e
    SET user_id = NULL, auth_method = NULL, device = NULL, method = NULL, route = NULL, client_ip = NULL,
        user_agent = NULL, trace_id = NULL, delta = NULL, delta_raw = NULL, value_salt = NULL
    WHERE e.namespace = $1 AND (e.user_id = $2 OR e.ref IN (SELECT ref FROM theirs))
    RETURNING row_hash IS NULL AS unsealed
), notes AS (
    UPDATE cloakroom.session_event_dead AS d
    SET user_id = NULL, payload = '', error = 'erased'
    WHERE d.namespace = $1 AND (d.user_id = $2 OR d.ref IN (SELECT ref FROM theirs))
    RETURNING 1
), snapshots AS (
    DELETE FROM cloakroom.session_snapshot AS s
    WHERE s.namespace = $1
      AND (s.user_id = $2 OR s.refs && (SELECT coalesce(array_agg(ref), '{}') FROM theirs WHERE ref IS NOT NULL))
)
SELECT (SELECT count(*) FROM erased)::int8, (SELECT count(*) FROM erased WHERE unsealed)::int8,
    (SELECT count(*) FROM notes)::int8";

/// Erases what the trail tells of a user of this namespace: who it was, from where, and every value, in all of
/// the user's sessions and in those that the user had before signing in. What stays is that something happened:
/// ids, kinds, versions, times. Sealed rows still verify, since only a salted hash of the values is sealed, and
/// the salt is erased with them.
///
/// The user's sessions cannot be recovered from then on, and their [snapshots](crate::audit::Snapshots) are deleted,
/// also where they are made at this moment. Entries that still wait in Redis, and dead letters
/// there, are not reached: end the user's sessions, let the queue run empty, then erase. Needs the right to
/// UPDATE, which `cloakroom_owner` has, and writers and readers don't. Backups and dumps keep what they have.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when PostgreSQL does not answer in time:
/// nothing is erased then. [`ErrorKind::Config`](crate::error::ErrorKind::Config) where the right is missing.
pub async fn erase(pool: &PgPool, namespace: &str, user: &str) -> Result<Erased, Error> {
    // As the writer stored it.
    let user = clean_user(user);
    let mut transaction = erasure(pool, namespace).await.map_err(without_right)?;
    let erased = sqlx::query_as(ERASE).bind(namespace).bind(user).fetch_one(&mut *transaction);
    let (rows, unsealed, notes): (i64, i64, i64) = erased.await.map_err(without_right)?;
    transaction.commit().await.map_err(without_right)?;
    let count = |rows| u64::try_from(rows).unwrap_or(0);
    Ok(Erased { rows: count(rows), unsealed: count(unsealed), notes: count(notes) })
}

fn without_right(error: sqlx::Error) -> Error {
    Failure::from(error).without_rows("the user's values cannot be erased")
}
