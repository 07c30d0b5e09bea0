//! What is kept, and for how long.

use sqlx::PgPool;

use super::Failure;
use crate::error::Error;

/// Drops the months that are past keeping: partitions that lie wholly before the month that began `months`
/// months ago (UTC), 1 to 1200, and the notes of dead letters from before that. Answers the names of the
/// partitions that it dropped.
///
/// A partition that an operator made and another role owns is left, with a warning in the server's log.
///
/// `months` of 12, called in November 2026, keeps everything since the first of November 2025. The role must be
/// the trail's owner (`cloakroom_owner`): a writer may not delete. Call it once a day, say; there is no harm
/// in calling it more often.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer or a long
/// transaction holds the table; [`ErrorKind::Config`](crate::error::ErrorKind::Config) where the role may not
/// do this, or for another number of months.
pub async fn retain(pool: &PgPool, months: u16) -> Result<Vec<String>, Error> {
    let dropped = sqlx::query_scalar("SELECT * FROM cloakroom.retain($1)").bind(i32::from(months));
    dropped
        .fetch_all(pool)
        .await
        .map_err(|error| Failure::from(error).without_rows("old months cannot be dropped"))
}
