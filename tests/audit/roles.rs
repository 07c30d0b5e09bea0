//! Who may do what in PostgreSQL.

use std::time::Duration;

use cloakroom::{audit, error::ErrorKind};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    poison::{ONLY_PEOPLE, one_shard},
    site::{Site, count, shared, until, writer},
    traffic::{ByHand, Traffic, add},
};

async fn run(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

/// A role that can log in, named after the test's namespace, and its URL.
async fn account(site: &Site, attributes: &str) -> (String, String) {
    let role = format!("{}_account", site.namespace.replace('-', "_"));
    run(&site.pool, &format!("CREATE ROLE {role} LOGIN {attributes}")).await;
    let url = site.postgres_url.replace("postgres@", &format!("{role}@"));
    (role, url)
}

/// The SQLSTATE of each statement, run as this role; empty where it succeeds.
async fn states(site: &Site, role: &str, statements: &[&str]) -> Vec<String> {
    let mut states = Vec::new();
    for statement in statements {
        let mut transaction = site.pool.begin().await.unwrap();
        let sql = format!("SET LOCAL ROLE {role}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
        let done =
            sqlx::raw_sql(sqlx::AssertSqlSafe((*statement).to_owned())).execute(&mut *transaction).await;
        let state = done.err().map(|error| error.as_database_error().unwrap().code().unwrap().into_owned());
        states.push(state.unwrap_or_default());
    }
    states
}

const CHANGES: [&str; 10] = [
    "UPDATE cloakroom.session_event SET user_id = 'nobody'",
    "DELETE FROM cloakroom.session_event",
    "TRUNCATE cloakroom.session_event",
    "DROP TABLE cloakroom.session_event",
    "UPDATE cloakroom.session_event_dead SET error = ''",
    "DELETE FROM cloakroom.session_event_dead",
    "TRUNCATE cloakroom.session_event_dead",
    "DELETE FROM cloakroom.migrations",
    "SELECT cloakroom.retain(1)",
    "SELECT cloakroom.set_up_roles()",
];

#[tokio::test]
async fn neither_the_writer_nor_the_reader_can_change_what_is_written() {
    let site = shared(1).await;
    let denied = vec!["42501"; CHANGES.len()];
    assert_eq!(states(&site, "cloakroom_writer", &CHANGES).await, denied);
    assert_eq!(states(&site, "cloakroom_reader", &CHANGES).await, denied);
    // Nor by a partition's own name.
    let part: String =
        sqlx::query_scalar("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'cloakroom.session_event'::regclass LIMIT 1")
            .fetch_one(&site.pool)
            .await
            .unwrap();
    let direct =
        [format!("DELETE FROM {part}"), format!("DROP TABLE {part}"), format!("SELECT * FROM {part}")];
    let direct = direct.each_ref().map(String::as_str);
    assert_eq!(states(&site, "cloakroom_writer", &direct).await, ["42501"; 3]);

    let reads = [
        "SELECT * FROM cloakroom.session_event",
        "SELECT * FROM cloakroom.session_event_dead",
        "SELECT * FROM cloakroom.active_users_by_day",
        "SELECT * FROM cloakroom.session_lengths",
        "SELECT * FROM cloakroom.sign_ins_by_device",
        "SELECT * FROM cloakroom.session_ends_by_day",
        "SELECT * FROM cloakroom.gaps",
    ];
    assert_eq!(states(&site, "cloakroom_reader", &reads).await, [""; 7]);
    assert_eq!(states(&site, "cloakroom_writer", &reads).await, ["42501"; 7], "it may not even read");
    let insert =
        "INSERT INTO cloakroom.session_event (event_id, occurred_at, kind, schema_version, shard, stream_id)
                  VALUES (gen_random_uuid(), now(), 'changed', 1, 0, '1-0')";
    assert_eq!(states(&site, "cloakroom_reader", &[insert]).await, ["42501"]);
    assert_eq!(states(&site, "cloakroom_writer", &[insert]).await, [""]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_in_the_writers_role_does_all_of_its_work() {
    let (site, stream, _) = one_shard().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    let (role, url) = account(&site, "IN ROLE cloakroom_writer").await;
    let mut redis = site.redis.clone();
    redis::cmd("DEL").arg(&stream).query_async::<()>(&mut redis).await.unwrap();
    // A month without a partition, a row that is refused, and two that are not.
    add(&mut redis, &stream, "1583020799998-0", &[ByHand::new("alice")]).await;
    add(&mut redis, &stream, "*", &[ByHand::new("robot"), ByHand::new("bob")]).await;
    let writer = writer(site.queue(), &url).retry(Duration::from_millis(1));
    audit::check_schema(writer.pool()).await.unwrap();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    let report = running.await.unwrap();
    assert_eq!((report.stored, report.dead), (2, 1));
    assert_eq!(count(&site.pool, "SELECT count(*) FROM cloakroom.session_event_dead").await, 1);

    let owners = "SELECT count(*) FROM pg_class WHERE relnamespace = 'cloakroom'::regnamespace
                  AND relkind IN ('r', 'p', 'v') AND relname <> 'migrations' AND relowner <> 'cloakroom_owner'::regrole";
    assert_eq!(count(&site.pool, owners).await, 0, "the partition that it made is the owner's, too");
    let definers = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'cloakroom'::regnamespace
                    AND prosecdef AND proowner <> 'cloakroom_owner'::regrole";
    assert_eq!(count(&site.pool, definers).await, 0, "nothing runs in a superuser's name");
    run(&site.pool, &format!("DROP ROLE {role}")).await;
}

async fn migrate_as(site: &Site, url: &str, role: &str) -> PgPool {
    run(&site.pool, "DROP SCHEMA cloakroom CASCADE").await;
    let name = url.rsplit_once('/').unwrap().1;
    run(&site.pool, &format!("GRANT CREATE ON DATABASE \"{name}\" TO {role}")).await;
    let pool = PgPoolOptions::new().connect(url).await.unwrap();
    audit::migrate(&pool).await.unwrap();
    audit::migrate(&pool).await.unwrap();
    pool
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_superuser_is_needed_where_roles_may_be_made() {
    let site = shared(1).await;
    let (role, url) = account(&site, "CREATEROLE").await;
    let pool = migrate_as(&site, &url, &role).await;
    let owner = "SELECT count(*) FROM pg_class WHERE oid = 'cloakroom.session_event'::regclass
                 AND relowner = 'cloakroom_owner'::regrole";
    assert_eq!(count(&site.pool, owner).await, 1);
    assert_eq!(count(&pool, "SELECT cloakroom.ensure_partitions('2019-01-01', 1)::int8").await, 1);
    assert_eq!(audit::retain(&pool, 1).await.unwrap(), ["cloakroom.session_event_2019_01"]);
}

/// The trail works without roles too; they can be made later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_make_no_roles_keeps_everything_until_somebody_does() {
    let site = shared(1).await;
    let (role, url) = account(&site, "").await;
    let pool = migrate_as(&site, &url, &role).await;
    let traffic = Traffic::start(&site.store, 1, 1, Duration::ZERO);
    let writer = writer(site.queue(), &url);
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    until("something is stored", async || site.rows().await > 10).await;
    traffic.stop().await;
    stopping.stop();
    running.await.unwrap();
    assert_eq!(count(&pool, "SELECT cloakroom.set_up_roles()::int::int8").await, 0);
    assert_eq!(states(&site, "cloakroom_writer", &CHANGES[..1]).await, ["42501"]);

    assert_eq!(count(&site.pool, "SELECT cloakroom.set_up_roles()::int::int8").await, 1);
    assert_eq!(
        audit::retain(&pool, 1).await.unwrap_err().kind(),
        ErrorKind::Config,
        "it owns nothing any more"
    );
}
