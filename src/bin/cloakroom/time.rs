//! Times on the command line.

use cloakroom::clock::Timestamp;
use sqlx::PgPool;

use crate::exit::{Failure, Result};

/// PostgreSQL knows every way to write a time. One without a zone is UTC.
pub(crate) async fn parse_time(pool: &PgPool, text: &str) -> Result<Timestamp> {
    let wrong = || Failure::usage(format!("{text:?} is no time: 2026-11-23T05:33:14Z is expected"));
    if text.contains('\0') {
        return Err(wrong());
    }
    let mut transaction = pool.begin().await.map_err(away)?;
    sqlx::query("SET LOCAL timezone = 'UTC'").execute(&mut *transaction).await.map_err(away)?;
    let millis: std::result::Result<i64, sqlx::Error> =
        sqlx::query_scalar("SELECT (extract(epoch FROM $1::text::timestamptz) * 1000)::int8")
            .bind(text)
            .fetch_one(&mut *transaction)
            .await;
    match millis {
        Ok(millis) => Ok(Timestamp::from_millis(u64::try_from(millis).map_err(|_| wrong())?)),
        Err(sqlx::Error::Database(_)) => Err(wrong()),
        Err(error) => Err(away(error)),
    }
}

fn away(error: sqlx::Error) -> Failure {
    Failure::unavailable(format!("PostgreSQL did not answer: {error}"))
}

/// The same of an option that may be missing.
pub(crate) async fn parse_optional(pool: &PgPool, text: Option<&str>) -> Result<Option<Timestamp>> {
    match text {
        Some(text) => parse_time(pool, text).await.map(Some),
        None => Ok(None),
    }
}
