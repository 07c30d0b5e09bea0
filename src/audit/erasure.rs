//! Between an erasure and whoever stores what was read before it.
//!
//! A row of each namespace counts its erasures. An erasure holds that row until it is committed. A reader that stores
//! what it read notes the count first, and stores under a share of the row and only where the count is the same: so
//! either the erasure comes later, and finds what was stored, or the reader knows that it read too early.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

/// The erasures of one namespace, as a reader that stores sees them.
#[derive(Debug)]
pub(super) struct Erasures {
    pool: PgPool,
    namespace: String,
}

/// How many there had been. Equal where none came between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(i64);

impl Erasures {
    /// Makes sure that there is a row to hold.
    pub(super) async fn of(pool: &PgPool, namespace: &str) -> Result<Self, sqlx::Error> {
        let mut transaction = begin(pool).await?;
        let sql = "INSERT INTO cloakroom.erasure (namespace)
                   SELECT $1 WHERE NOT EXISTS (SELECT FROM cloakroom.erasure WHERE namespace = $1)
                   ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(namespace).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Self { pool: pool.clone(), namespace: namespace.to_owned() })
    }

    /// Before anything is read.
    pub(super) async fn count(&self) -> Result<Count, sqlx::Error> {
        let sql = "SELECT done FROM cloakroom.erasure WHERE namespace = $1";
        sqlx::query_scalar(sql).bind(&self.namespace).fetch_one(&self.pool).await.map(Count)
    }

    /// A transaction in which to store what was read since, and which no erasure overtakes; `None` where there has been
    /// one. Waits for one that is under way.
    pub(super) async fn none_since(
        &self,
        before: Count,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut transaction = begin(&self.pool).await?;
        let sql = "SELECT done FROM cloakroom.erasure WHERE namespace = $1 FOR SHARE";
        let now =
            sqlx::query_scalar(sql).bind(&self.namespace).fetch_one(&mut *transaction).await.map(Count)?;
        Ok((now == before).then_some(transaction))
    }
}

/// A transaction in which to erase. Its next statement sees all that was stored by readers of before.
pub(super) async fn erasure(
    pool: &PgPool,
    namespace: &str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let sql = "INSERT INTO cloakroom.erasure AS known (namespace, done, last_at) VALUES ($1, 1, now())
               ON CONFLICT (namespace) DO UPDATE SET done = known.done + 1, last_at = now()";
    sqlx::query(sql).bind(namespace).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Each statement sees what was committed before it, also where the database's default is otherwise.
async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    wait_for_locks(&mut transaction).await?;
    Ok(transaction)
}

/// As long as a statement may take: an erasure takes longer than the lock timeout of a pool for a writer.
async fn wait_for_locks(transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SET LOCAL lock_timeout = 0").execute(transaction).await.map(drop)
}
