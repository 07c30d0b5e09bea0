//! Visitors who come meanwhile, servers that die in the middle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom::{audit::RequestContext, error::ErrorKind};
use cloakroom::{
    id::{Address, EventId, IdleClass, SessionRef, ShardCount},
    record::{Change, Delta, FieldName, Json, Write},
    store::{Create, Created, SessionStore as _, SignIn},
};
use serde_json::json;
use servers::Postgres;

use crate::site::{SHARDS, Site, database};

/// Sessions of nobody who has a cookie, so that there are several pages.
async fn crowd(site: &Site, sessions: usize) {
    for n in 0..sessions {
        let mut bytes = [0; 32];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&EventId::new().as_bytes()[8..]);
        }
        let shard = ShardCount::new(SHARDS).unwrap().of_user(&format!("user-{n}"));
        let at = Address { reference: SessionRef::from_bytes(bytes), shard, class: IdleClass::default() };
        let write = Write::Set(Json::from_text(n.to_string()));
        let change = Change { write, watched: None, secret: false };
        let create = Create {
            at,
            event: EventId::new(),
            idle: Duration::from_secs(3600),
            absolute: Duration::from_secs(36000),
            sign_in: Some(SignIn { user: format!("user-{n}"), method: None, listing: None }),
            device: None,
            delta: Delta { clear: false, changes: [(FieldName::new("n").unwrap(), change)].into() },
            predecessor: None,
            context: RequestContext::default().into(),
        };
        assert!(matches!(site.store.create(&create).await.unwrap(), Created::Created { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_is_once_and_what_happened_since_stays() {
    let site = Site::start().await;
    let alice = site.run("", "login alice; write n 1").await.token.unwrap();
    let bob = site.run("", "login bob; write n 1").await.token.unwrap();
    let carol = site.run("", "login carol; write n 1").await.token.unwrap();
    site.lose().await;
    assert_eq!(site.recovery().run().await.unwrap().restored, 3);
    site.run(&alice, "write n 2").await;
    site.run(&bob, "logout").await;
    let carol_2 = site.run(&carol, "renew; write n 3").await.token.unwrap();
    let keys = site.keys();
    // Nothing of this is in the trail yet.
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.present, report.ended), (0, 1, 2), "{report:?}");
    assert_eq!(site.keys(), keys);
    assert_eq!(site.run(&alice, "read n").await.told, [json!("2")]);
    assert_eq!(site.run(&bob, "ended").await.told, [json!("logged_out")]);
    assert_eq!(site.run(&carol_2, "read n").await.told, [json!("3")]);
    // Nor is anything overwritten when it is.
    site.drain().await;
    assert_eq!(site.recovery().run().await.unwrap().restored, 0);
    assert_eq!(site.run(&carol_2, "read n").await.told, [json!("3")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_one_acknowledged_change_is_overwritten_while_it_runs() {
    let site = Arc::new(Site::start().await);
    crowd(&site, 1500).await;
    let mut tokens = Vec::new();
    for n in 0..16 {
        let token = site.run("", &format!("login visitor-{n}; write n 100")).await.token.unwrap();
        tokens.push(token);
    }
    site.lose().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut visitors = tokio::task::JoinSet::new();
    for token in tokens {
        let (site, over) = (site.clone(), over.clone());
        visitors.spawn(async move {
            let mut counted = 0;
            loop {
                let last = over.load(Ordering::Acquire);
                let known = site.run(&token, "tick n").await.told == [json!(true)];
                counted += u64::from(known);
                if last && counted > 0 {
                    return (token, counted);
                }
            }
        });
    }
    // Three at once, as if three people had been called.
    let recoveries = (0..3).map(|_| tokio::spawn(site.recovery().run())).collect::<Vec<_>>();
    let mut restored = 0;
    for recovery in recoveries {
        restored += recovery.await.unwrap().unwrap().restored;
    }
    over.store(true, Ordering::Release);
    assert_eq!(restored, 1516, "each session by exactly one of them");
    while let Some(visitor) = visitors.join_next().await {
        let (token, counted) = visitor.unwrap();
        let told = site.run(&token, "read n").await.told;
        assert_eq!(told, [json!((100 + counted).to_string())]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_dies_in_the_middle_and_it_is_done_again() {
    let site = Arc::new(Site::start().await);
    crowd(&site, 1200).await;
    let token = site.run("", "login alice; write n 1").await.token.unwrap();
    site.lose().await;
    let dying = site.clone();
    let killed = site.recovery().on_progress(move |so_far| {
        if so_far.restored > 0 {
            dying.redis.lock().unwrap().kill().unwrap();
        }
    });
    assert_eq!(killed.run().await.unwrap_err().kind(), ErrorKind::Unavailable);
    // This server keeps nothing, so what was restored is lost once more.
    site.redis.lock().unwrap().restart().unwrap();
    assert_eq!(site.redis(&["DBSIZE"]), "0");
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.sessions, report.restored), (1201, 1201), "{report:?}");
    assert_eq!(site.run(&token, "user; read n").await.told, [json!("alice"), json!("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_in_the_middle_and_it_is_done_again() {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let postgres = Arc::new(std::sync::Mutex::new(postgres));
    let site = Site::with(&url, Duration::from_secs(3600)).await;
    crowd(&site, 1200).await;
    site.lose().await;
    let dying = postgres.clone();
    let killed = site.recovery().on_progress(move |_| dying.lock().unwrap().kill().unwrap());
    assert_eq!(killed.run().await.unwrap_err().kind(), ErrorKind::Unavailable);
    postgres.lock().unwrap().restart().unwrap();
    let sessions = site.keys().iter().filter(|key| key.contains(":s:")).count() as u64;
    assert!(sessions > 0 && sessions < 1200, "{sessions}");
    let report = site.recovery().run().await.unwrap();
    assert_eq!((report.restored, report.present), (1200 - sessions, sessions), "{report:?}");
    site.drain().await;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM cloakroom.session_event WHERE kind = 'recovered'
         GROUP BY ref HAVING count(*) > 1) AS r",
    )
    .fetch_one(&site.pool)
    .await
    .unwrap();
    assert_eq!(twice, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_that_is_not_there_is_told() {
    let site = Site::start().await;
    let pool = cloakroom::audit::AuditPool::new(database()).open().unwrap();
    let error = cloakroom::audit::Recovery::new(&site.store, pool).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("42P01"), "{error}");
}
