//! Making the table.

use sqlx::{
    Executor as _, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use super::{Class, Failure};
use crate::error::{Error, ErrorKind};

/// Makes the schema `cloakroom` with the trail's table and functions, or brings it up to date, and makes
/// the partitions of this month and the next three.
///
/// It changes nothing where there is nothing to do, and any number of instances may call it at a time: an
/// advisory lock lets one go first. Its versions are kept in `cloakroom.migrations`, so an application's
/// own `_sqlx_migrations` in the same database is not touched. The role must be allowed to create a schema
/// in the database. The lock belongs to the connection: through PgBouncer use session pooling.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`] while PostgreSQL cannot be reached; [`ErrorKind::Config`] where the role may
/// not do this, the server is older than version 14 or the database is not in UTF-8;
/// [`ErrorKind::Mismatch`] where a later release of this crate has already changed the schema.
pub async fn migrate(pool: &PgPool) -> Result<(), Error> {
    // The migrator leaves its lock behind when a migration fails; this connection ends with it.
    let options = PgConnectOptions::clone(&pool.connect_options());
    // Ten instances that start together wait for the first: longer than a statement of the writer may take.
    let options = options.options([("lock_timeout", "0"), ("statement_timeout", "60s")]);
    let one = pool.options().clone().min_connections(0).max_connections(1).connect_lazy_with(options);
    let done = set_up(&one).await;
    one.close().await;
    done
}

async fn set_up(pool: &PgPool) -> Result<(), Error> {
    let (version, encoding): (i32, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')",
    )
    .fetch_one(pool)
    .await
    .map_err(broken)?;
    if version < 140_000 {
        return Err(Error::msg(ErrorKind::Config, "the audit trail needs PostgreSQL 14 or later"));
    }
    if encoding != "UTF8" {
        return Err(Error::msg(ErrorKind::Config, "the audit trail needs a database in UTF-8"));
    }

    let mut migrator: Migrator = sqlx::migrate!("src/audit/postgres/migrations");
    migrator.dangerous_set_table_name("cloakroom.migrations");
    migrator.create_schema("cloakroom");
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => broken(error),
        error => Error::msg(ErrorKind::Mismatch, "the schema `cloakroom` was made by another release")
            .because(error),
    })?;
    pool.execute("SELECT cloakroom.ensure_partitions(now(), 4)").await.map_err(broken).map(drop)
}

/// Only statements that hold no session data are run here, so the cause can be told.
fn broken(error: sqlx::Error) -> Error {
    let text = error.to_string();
    let failure = Failure::from(error);
    match failure.class {
        Class::Infrastructure => Error::msg(ErrorKind::Unavailable, "PostgreSQL did not answer"),
        Class::Operator | Class::Data => Error::msg(
            ErrorKind::Config,
            format!("the audit trail cannot be set up (SQLSTATE {})", failure.code),
        ),
    }
    .because(text)
}
