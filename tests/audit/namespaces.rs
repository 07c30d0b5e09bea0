//! Two applications, one table.

use cloakroom::audit::{history, sessions_of};

use crate::{
    sessions::{Visit, set},
    site::{count, shared, store, writer},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_namespaces_in_one_database_do_not_mix() {
    let site = shared(1).await;
    let other = format!("{}-other", site.namespace);
    let stores = [store(&site.redis_url, &site.namespace, 1), store(&site.redis_url, &other, 1)];
    let mut refs = Vec::new();
    for (store, visits) in stores.iter().zip([1, 2]) {
        for _ in 0..visits {
            let visit = Visit::begin(store, Some("alice"), None, &[("cart", set("1"), false)]).await;
            refs.push(visit.at.reference);
        }
        let writer = writer(store.audit_queue(), &site.postgres_url);
        let stopping = writer.stop_handle();
        let running = tokio::spawn(writer.run());
        crate::site::until("it is stored", async || store.audit_queue().is_empty().await.unwrap()).await;
        stopping.stop();
        running.await.unwrap();
    }
    let users: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT namespace, users, events FROM cloakroom.active_users_by_day ORDER BY events")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    assert_eq!(users, [(site.namespace.clone(), 1, 1), (other.clone(), 1, 2)]);
    assert_eq!(history(&site.pool, &site.namespace, refs[0], None).await.unwrap().len(), 1);
    assert!(history(&site.pool, &other, refs[0], None).await.unwrap().is_empty());
    assert_eq!(sessions_of(&site.pool, &site.namespace, "alice", 1).await.unwrap().len(), 1);
    assert_eq!(sessions_of(&site.pool, &other, "alice", 9).await.unwrap().len(), 2);
    assert_eq!(
        count(&site.pool, "SELECT count(*) FROM cloakroom.session_event WHERE namespace = ''").await,
        0
    );
}
