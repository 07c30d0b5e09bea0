//! After a failover an id may be another entry's: here, of a change that nobody has stored.

use std::collections::BTreeSet;

use cloakroom::{
    audit::{self, Report},
    id::EventId,
};
use servers::{Postgres, Redis};
use sqlx::Transaction;
use uuid::Uuid;

use crate::{
    crowd::begin_on,
    proxy::Proxy,
    site::{Site, count, until},
};

/// Two primaries, with an entry each under the same id.
struct Twins {
    here: Redis,
    next: Redis,
    _postgres: Postgres,
    proxy: Proxy,
    site: Site,
    /// The only shard's.
    stream: String,
    id: String,
    first: Uuid,
    second: Uuid,
}

impl Twins {
    async fn start() -> Self {
        let (here, next) = (Redis::start().unwrap(), Redis::start().unwrap());
        let postgres = Postgres::start().unwrap();
        let proxy = Proxy::to(here.port()).await;
        let site = Site::new(proxy.url(), postgres.url(), 1).await;
        audit::migrate(&site.pool).await.unwrap();

        let (_, created) = begin_on(&site.store, 1).await;
        let stream = here.command(&["KEYS", "*:audit"]).unwrap();
        let waits = here.command(&["XRANGE", &stream, "-", "+"]).unwrap();
        let id = waits.lines().next().unwrap().to_owned();
        let payload = waits.lines().find(|line| line.starts_with('{')).unwrap();
        let first = *created.first().unwrap();
        let second = EventId::new().as_uuid();
        let other = payload.replace(&first.to_string(), &second.to_string());
        assert_ne!(other, payload);
        next.command(&["XADD", &stream, &id, "v", "1", "p", "0123456789abcdef", "e", &other]).unwrap();
        Self { here, next, _postgres: postgres, proxy, site, stream, id, first, second }
    }

    async fn events(&self) -> BTreeSet<Uuid> {
        let events = sqlx::query_scalar("SELECT event_id FROM cloakroom.session_event");
        events.fetch_all(&self.site.pool).await.unwrap().into_iter().collect()
    }

    /// Whoever stores stops at a lock that the test holds.
    async fn hold(&self) -> Transaction<'static, sqlx::Postgres> {
        let stop = "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
                        'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END';
                    CREATE TRIGGER stop BEFORE INSERT ON cloakroom.session_event
                        FOR EACH STATEMENT EXECUTE FUNCTION stop()";
        sqlx::raw_sql(stop).execute(&self.site.pool).await.unwrap();
        let mut held = self.site.pool.begin().await.unwrap();
        sqlx::query("SELECT pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
        held
    }

    /// A writer reads the first entry, and its connection leads to the second before it deletes or buries.
    async fn fail_over(&self, settled: impl AsyncFn() -> bool) -> Report {
        let held = self.hold().await;
        let writer = self.site.writer();
        let stopping = writer.stop_handle();
        let writing = tokio::spawn(writer.run());
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'";
        until("the entry is about to be stored", async || count(&self.site.pool, waiting).await == 1).await;
        self.proxy.freeze();
        held.rollback().await.unwrap();
        until("PostgreSQL has answered", &settled).await;
        self.proxy.switch_to(self.next.port());
        self.proxy.thaw();
        self.site.until_drained().await;
        stopping.stop();
        writing.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_the_same_id_on_the_next_primary_is_stored() {
    let twins = Twins::start().await;
    let report = twins.fail_over(async || twins.events().await.contains(&twins.first)).await;
    assert_eq!(report.dead, 0);
    assert_eq!(twins.events().await, BTreeSet::from([twins.first, twins.second]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_the_same_id_on_the_next_primary_is_not_buried() {
    let twins = Twins::start().await;
    // The first is refused once more, which is once too often.
    let refuse = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''this one not'' USING ERRCODE = ''22000''; END';
         CREATE TRIGGER refuse BEFORE INSERT ON cloakroom.session_event
             FOR EACH ROW WHEN (NEW.event_id = '{}') EXECUTE FUNCTION refuse()",
        twins.first
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(refuse)).execute(&twins.site.pool).await.unwrap();
    let tries = twins.stream.replace(":audit", ":tries");
    twins.here.command(&["HSET", &tries, &twins.id, "4"]).unwrap();
    // That it is refused is seen by nobody else; where the writer hears of it later, it is at the next primary too.
    let report = twins.fail_over(async || true).await;
    assert_eq!(report.dead, 0);
    assert_eq!(twins.events().await, BTreeSet::from([twins.second]));
    let dead = twins.stream.replace(":audit", ":dead");
    assert_eq!(twins.next.command(&["XLEN", &dead]).unwrap(), "0");
    // It waits where it was, should this primary come back.
    assert_eq!(twins.here.command(&["XLEN", &twins.stream]).unwrap(), "1");
}
