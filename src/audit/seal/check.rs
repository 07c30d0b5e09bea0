//! All rows and seals of a database, past a verifier.

use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::{Seal, TrailRow, Verification, Verifier};
use crate::{audit::trail::broken, error::Error};

/// How many rows are read at a time.
const PAGE: i64 = 2000;

/// Gives every seal and every row of the database to `verifier`, and answers what it found. Any number of
/// writers may go on meanwhile: all is read from one snapshot, which keeps `VACUUM` waiting until it is read.
///
/// Needs the right to read the trail and its seals. For a dump of the database, give a [`Verifier`] its seals
/// and rows yourself; it needs no connection.
///
/// ```no_run
/// # async fn f(pool: sqlx::PgPool, public: [u8; 32]) -> Result<(), cloakroom::error::Error> {
/// use cloakroom::audit::seal::{self, SealPublicKey, Verifier};
///
/// let verifier = Verifier::new().key(SealPublicKey::new("2026", public)?);
/// let verification = seal::check(&pool, verifier).await?;
/// assert!(verification.findings.is_empty(), "{:?}", verification.findings);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) when PostgreSQL does not answer in time,
/// [`ErrorKind::Config`](crate::error::ErrorKind::Config) when the trail can't be read.
pub async fn check(pool: &PgPool, verifier: Verifier) -> Result<Verification, Error> {
    check_with(pool, verifier, |_| {}).await
}

/// The same, and tells each row that is not as it was written.
pub(in crate::audit) async fn check_with(
    pool: &PgPool,
    verifier: Verifier,
    edited: impl FnMut(&TrailRow),
) -> Result<Verification, Error> {
    read(pool, verifier, edited).await.map_err(broken)
}

async fn read(
    pool: &PgPool,
    mut verifier: Verifier,
    mut edited: impl FnMut(&TrailRow),
) -> Result<Verification, sqlx::Error> {
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut after = Uuid::nil();
    loop {
        let sql = format!("{} WHERE seal > $1 ORDER BY seal LIMIT $2", Seal::SELECT);
        // Nothing of a caller's is in the text, here and below.
        let seals: Vec<Seal> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(PAGE).fetch_all(&mut *snapshot).await?;
        let whole = is_whole(seals.len());
        for seal in seals {
            after = seal.seal;
            verifier.seal(seal);
        }
        if !whole {
            break;
        }
    }
    let mut after = (Uuid::nil(), i64::MIN);
    loop {
        let rows = rows(&mut snapshot, after).await?;
        for row in &rows {
            after = (row.event_id, row.occurred_us);
            if !verifier.row(row) {
                edited(row);
            }
        }
        if !is_whole(rows.len()) {
            return Ok(verifier.finish());
        }
    }
}

/// The next page in the order of the primary key.
async fn rows(
    snapshot: &mut Transaction<'_, Postgres>,
    (event, micros): (Uuid, i64),
) -> Result<Vec<TrailRow>, sqlx::Error> {
    // The same event may stand there twice, in two months, where somebody added it.
    let sql = format!(
        "{} WHERE event_id >= $1 AND (event_id > $1 OR (extract(epoch FROM occurred_at) * 1000000)::int8 > $2) \
         ORDER BY event_id, occurred_at LIMIT $3",
        TrailRow::SELECT
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(event).bind(micros).bind(PAGE);
    query.fetch_all(&mut **snapshot).await
}

fn is_whole(page: usize) -> bool {
    i64::try_from(page).unwrap_or(i64::MAX) >= PAGE
}
