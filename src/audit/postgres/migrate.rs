//! Making the table.

use sqlx::{
    Executor as _, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use super::Failure;
use crate::error::{Error, ErrorKind};

/// Makes the schema `cloakroom` with the trail's table and functions, or brings it up to date, and makes
/// the partitions of this month and the next three.
///
/// It changes nothing where there is nothing to do, and any number of instances may call it at a time: an
/// advisory lock lets one go first. Its versions are kept in `cloakroom.migrations`, so an application's
/// own `_sqlx_migrations` in the same database is not touched. The role must be allowed to create a schema
/// in the database. Where it may create roles too, it makes `cloakroom_owner`, `cloakroom_writer` and
/// `cloakroom_reader`: grant these to the accounts that use the trail. The lock belongs to the connection: through PgBouncer use session pooling.
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

    let mut migrator = migrator();
    migrator.dangerous_set_table_name("cloakroom.migrations");
    migrator.create_schema("cloakroom");
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => broken(error),
        error => Error::msg(ErrorKind::Mismatch, "the schema `cloakroom` was made by another release")
            .because(error),
    })?;
    pool.execute("SELECT cloakroom.ensure_partitions(now(), 4)").await.map_err(broken).map(drop)
}

/// Checks that the schema is as this release needs it, and changes nothing. A schema that a later release
/// made is fine: it keeps what this one needs.
///
/// # Errors
///
/// [`ErrorKind::Mismatch`] where a migration is missing: call [`migrate`]. [`ErrorKind::Unavailable`] and
/// [`ErrorKind::Config`] as there.
pub async fn check_schema(pool: &PgPool) -> Result<(), Error> {
    let applied: Result<Vec<(i64, Vec<u8>)>, sqlx::Error> =
        sqlx::query_as("SELECT version, checksum FROM cloakroom.migrations WHERE success")
            .fetch_all(pool)
            .await;
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) => {
            let failure = Failure::from(error);
            // Undefined table, invalid schema name.
            return Err(match failure.code.as_str() {
                "42P01" | "3F000" => missing("the audit trail's table is not in this database"),
                _ => failure.without_rows("the audit trail's schema cannot be read"),
            });
        }
    };
    for migration in migrator().iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, checksum)) if *checksum == *migration.checksum => {}
            Some(_) => return Err(missing("the schema `cloakroom` was made by another release")),
            None => return Err(missing("the audit trail's schema is older than this release")),
        }
    }
    Ok(())
}

fn migrator() -> Migrator {
    sqlx::migrate!("src/audit/postgres/migrations")
}

fn missing(what: &str) -> Error {
    Error::msg(ErrorKind::Mismatch, format!("{what}: run `cloakroom migrate`, or call `audit::migrate`"))
}

/// Only statements that hold no session data are run here, so the cause can be told.
fn broken(error: sqlx::Error) -> Error {
    Failure::from(error).without_rows("the audit trail cannot be set up")
}
