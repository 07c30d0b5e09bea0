//! A trail of names only.

use cloakroom::{audit::AuditDetail, store::RedisStore};

use crate::{
    sessions::{Visit, add, set},
    site::shared,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_names_only_no_value_leaves_the_session() {
    let site = shared(1).await;
    let store = RedisStore::builder(&site.redis_url).namespace(&site.namespace).shards(1).audit(true);
    let store = store.audit_detail(AuditDetail::Names).build().unwrap();
    let begin = [("cart", set("\"770001\""), false), ("n", add(770_002), false)];
    let mut visit = Visit::begin(&store, Some("alice"), None, &begin).await;
    visit
        .commit(&[
            ("n", add(1), false),
            ("otp", set("770004"), true),
            ("cart", cloakroom::record::Write::Remove, false),
        ])
        .await;

    let stream = site.keys("audit").await.remove(0);
    let raw: redis::Value = redis::cmd("XRANGE")
        .arg(&stream)
        .arg("-")
        .arg("+")
        .query_async(&mut site.redis.clone())
        .await
        .unwrap();
    assert!(!format!("{raw:?}").contains("77000"), "{raw:?}");

    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    running.await.unwrap();
    let rows: Vec<(serde_json::Value, Option<Vec<u8>>, Option<String>)> =
        sqlx::query_as("SELECT delta, delta_raw, user_id FROM cloakroom.session_event ORDER BY version")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    let alice = Some("alice".to_owned());
    assert_eq!(
        rows,
        [
            (serde_json::json!({"secret": ["cart", "n"]}), None, alice.clone()),
            (serde_json::json!({"removed": ["cart"], "secret": ["n", "otp"]}), None, alice),
        ]
    );
}

/// A value that looks like the mark does not switch the results off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_cannot_hide_what_an_operation_came_to() {
    let site = shared(1).await;
    let mut visit = Visit::begin(&site.store, Some("{\"names_only\":true,"), None, &[]).await;
    visit.commit(&[("n", add(42), false), ("a", set("{\"names_only\":true}"), false)]).await;
    let stream = site.keys("audit").await.remove(0);
    let raw: redis::Value = redis::cmd("XRANGE")
        .arg(&stream)
        .arg("-")
        .arg("+")
        .query_async(&mut site.redis.clone())
        .await
        .unwrap();
    assert!(format!("{raw:?}").contains(".n"), "{raw:?}");
}
