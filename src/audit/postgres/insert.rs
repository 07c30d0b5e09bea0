//! Storing rows.

use std::{collections::HashSet, time::Duration};

use sqlx::{PgPool, Row as _};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Failure, Row, text};
use crate::audit::{
    queue::MAX_ERROR,
    seal::{Chain, Columns, Sealer},
};

/// How long a statement of the writer may take in all, in case the server neither answers nor hangs up.
/// It lies above the statement timeout of five seconds, which tells more.
const DEADLINE: Duration = Duration::from_secs(10);

/// The statement, with what sealing adds to it.
///
/// `UNNEST` takes one parameter a column whatever the number of rows, so there is one prepared statement
/// for every batch size, and no end at 65,535 parameters. No conflict target: that would need the right
/// to SELECT, which a writer that does not seal need not have.
macro_rules! insert {
    ($columns:literal, $values:literal, $parameters:literal, $names:literal, $returning:literal) => {
        concat!(
            "
INSERT INTO cloakroom.session_event (
    event_id, occurred_at, ref, version, prev_event_id, kind, reason, user_id, auth_method, related,
    lifetime_ms, idle_class, method, route, client_ip, user_agent, trace_id, schema_version, flags,
    delta, delta_raw, shard, stream_id, namespace, device",
            $columns,
            "
)
SELECT
    event_id, timestamptz 'epoch' + occurred_ms * interval '1 millisecond', ref, version, prev_event_id,
    kind, reason, user_id, auth_method, related, lifetime_ms, idle_class, method, route,
    client_ip::inet, user_agent, trace_id, schema_version, flags, delta::jsonb, delta_raw, shard, stream_id,
    namespace, device",
            $values,
            "
FROM UNNEST(
    $1::uuid[], $2::int8[], $3::bytea[], $4::int8[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bytea[], $11::int8[], $12::int2[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::int2[], $19::int2[], $20::text[], $21::bytea[], $22::int2[], $23::text[],
    $24::text[], $25::text[]",
            $parameters,
            "
) AS new (
    event_id, occurred_ms, ref, version, prev_event_id, kind, reason, user_id, auth_method, related,
    lifetime_ms, idle_class, method, route, client_ip, user_agent, trace_id, schema_version, flags,
    delta, delta_raw, shard, stream_id, namespace, device",
            $names,
            "
)
ON CONFLICT DO NOTHING",
            $returning
        )
    };
}

const INSERT: &str = insert!("", "", "", "", "");

/// What it answers needs the right to SELECT `event_id`.
const INSERT_SEALED: &str = insert!(
    ", value_salt, value_hash, row_hash, seal, ingested_at",
    ", value_salt, value_hash, row_hash, $29, timestamptz 'epoch' + $30 * interval '1 microsecond'",
    ", $26::bytea[], $27::bytea[], $28::bytea[]",
    ", value_salt, value_hash, row_hash",
    "\nRETURNING event_id"
);

const SEAL: &str = "
INSERT INTO cloakroom.seal (seal, chain, seq, rows, first_at, last_at, root, prev_hash, hash, key_id, signature, sealed_at)
VALUES ($1, $2, $3, $4, timestamptz 'epoch' + $5 * interval '1 microsecond',
    timestamptz 'epoch' + $6 * interval '1 microsecond', $7, $8, $9, $10, $11,
    timestamptz 'epoch' + $12 * interval '1 microsecond')";

/// Stores rows that are sorted by key, all of them or none, and answers how many were new. The statement
/// is its own transaction: when it answers, it is committed.
pub(in crate::audit) async fn insert(pool: &PgPool, rows: &[&Row]) -> Result<u64, Failure> {
    execute(pool, bound(INSERT, rows)).await
}

/// The same, together with a seal over those that were new. Those that were there are under a seal already.
pub(in crate::audit) async fn insert_sealed(
    pool: &PgPool,
    rows: &[&Row],
    sealer: &Sealer,
) -> Result<u64, Failure> {
    let Some(columns) = Columns::new(rows) else {
        return Err(Failure::no_random());
    };
    let store = async {
        let mut transaction = pool.begin().await?;
        let insert = bound(INSERT_SEALED, rows)
            .bind(&columns.salts)
            .bind(&columns.value_hashes)
            .bind(&columns.row_hashes)
            .bind(columns.seal)
            .bind(columns.at_us);
        let new: HashSet<Uuid> =
            insert.fetch_all(&mut *transaction).await?.iter().map(|row| row.get(0)).collect();
        if new.is_empty() {
            transaction.commit().await?;
            return Ok(0);
        }
        let mut chain = match sealer.chain() {
            Some(chain) => chain,
            // A chain of its own. It names the newest seal of the others, so that none can vanish whole.
            None => {
                let newest = "SELECT hash FROM cloakroom.seal ORDER BY sealed_at DESC LIMIT 1";
                Chain::new(sqlx::query_scalar(newest).fetch_optional(&mut *transaction).await?)
            }
        };
        let seal = chain.next(sealer, &columns, rows, &new);
        let statement = sqlx::query(SEAL)
            .bind(seal.seal)
            .bind(seal.chain)
            .bind(seal.seq)
            .bind(seal.rows)
            .bind(seal.first_us)
            .bind(seal.last_us)
            .bind(&seal.root)
            .bind(seal.prev_hash.as_deref())
            .bind(&seal.hash)
            .bind(seal.key_id.as_deref())
            .bind(seal.signature.as_deref())
            .bind(seal.sealed_us);
        statement.execute(&mut *transaction).await?;
        transaction.commit().await?;
        // Only now: after an error nobody knows whether the chain has this seal, so it ends there.
        sealer.give_back(chain);
        Ok(new.len() as u64)
    };
    match timeout(DEADLINE, store).await {
        Ok(done) => done.map_err(|error: sqlx::Error| Failure::from(error)),
        Err(_) => Err(Failure::timed_out()),
    }
}

fn bound<'q>(statement: &'static str, rows: &[&'q Row]) -> Query<'q> {
    fn column<'a, T>(rows: &[&'a Row], value: impl Fn(&'a Row) -> T) -> Vec<T> {
        rows.iter().map(|row| value(row)).collect()
    }
    sqlx::query(statement)
        .bind(column(rows, |row| row.event_id))
        .bind(column(rows, |row| row.occurred_at))
        .bind(column(rows, |row| row.reference.as_ref().map(|id| id.as_bytes().as_slice())))
        .bind(column(rows, |row| row.version))
        .bind(column(rows, |row| row.predecessor))
        .bind(column(rows, |row| row.kind.as_str()))
        .bind(column(rows, |row| row.reason.as_deref()))
        .bind(column(rows, |row| row.user.as_deref()))
        .bind(column(rows, |row| row.auth_method.as_deref()))
        .bind(column(rows, |row| row.related.as_ref().map(|id| id.as_bytes().as_slice())))
        .bind(column(rows, |row| row.lifetime))
        .bind(column(rows, |row| row.idle_class))
        .bind(column(rows, |row| row.method.as_deref()))
        .bind(column(rows, |row| row.route.as_deref()))
        .bind(column(rows, |row| row.client_ip.as_deref()))
        .bind(column(rows, |row| row.user_agent.as_deref()))
        .bind(column(rows, |row| row.trace_id.as_deref()))
        .bind(column(rows, |row| row.schema))
        .bind(column(rows, |row| row.flags))
        .bind(column(rows, |row| row.delta.as_deref()))
        .bind(column(rows, |row| row.delta_raw.as_deref()))
        .bind(column(rows, |row| row.shard))
        .bind(column(rows, |row| row.stream_id.as_str()))
        .bind(column(rows, |row| &*row.namespace))
        .bind(column(rows, |row| row.device.as_deref()))
}

/// The note of a dead letter. All texts were cleaned and the payload is bytes, so no payload can be refused
/// here too. No conflict target, for the reason above.
const RECORD_DEAD: &str = "
INSERT INTO cloakroom.session_event_dead (
    event_id, occurred_at, namespace, ref, version, user_id, shard, stream_id, attempts, error, payload
)
VALUES ($1, timestamptz 'epoch' + $2 * interval '1 millisecond', $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING";

/// Notes that this row was refused for good. Under the row's own key, so that it is noted once.
pub(in crate::audit) async fn record_dead(
    pool: &PgPool,
    row: &Row,
    payload: &[u8],
    attempts: u32,
    error: &str,
) -> Result<(), Failure> {
    let record = sqlx::query(RECORD_DEAD)
        .bind(row.event_id)
        .bind(row.occurred_at)
        .bind(&*row.namespace)
        .bind(row.reference.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(row.version)
        .bind(row.user.as_deref())
        .bind(row.shard)
        .bind(row.stream_id.as_str())
        .bind(i32::try_from(attempts).unwrap_or(i32::MAX))
        .bind(text::clean(error, MAX_ERROR).into_owned())
        .bind(payload);
    execute(pool, record).await.map(drop)
}

/// Makes the partition for the month of this time, given in milliseconds since the Unix epoch.
pub(in crate::audit) async fn ensure_partition(pool: &PgPool, millis: i64) -> Result<(), Failure> {
    let ensure = sqlx::query(
        "SELECT cloakroom.ensure_partitions(timestamptz 'epoch' + $1 * interval '1 millisecond', 1)",
    );
    execute(pool, ensure.bind(millis)).await.map(drop)
}

/// Makes the partitions for this month and the next three, by PostgreSQL's clock.
pub(in crate::audit) async fn ensure_partitions_ahead(pool: &PgPool) -> Result<(), Failure> {
    execute(pool, sqlx::query("SELECT cloakroom.ensure_partitions(now(), 4)")).await.map(drop)
}

/// Asks whether PostgreSQL is there.
pub(in crate::audit) async fn probe(pool: &PgPool) -> Result<(), Failure> {
    execute(pool, sqlx::query("SELECT 1")).await.map(drop)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

async fn execute(pool: &PgPool, query: Query<'_>) -> Result<u64, Failure> {
    let acquired = timeout(DEADLINE, pool.acquire()).await;
    let mut connection = acquired.map_err(|_| Failure::timed_out())?.map_err(Failure::from)?;
    match timeout(DEADLINE, query.execute(&mut *connection)).await {
        Ok(Ok(done)) => Ok(done.rows_affected()),
        Ok(Err(error)) => {
            // After an error of the server the connection is as good as before; after any other it isn't.
            if error.as_database_error().is_none() {
                connection.close_on_drop();
            }
            Err(error.into())
        }
        Err(_) => {
            connection.close_on_drop();
            Err(Failure::timed_out())
        }
    }
}
