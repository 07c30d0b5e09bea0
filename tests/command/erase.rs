//! `cloakroom erase`

use serde_json::json;

use crate::site::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_values_are_gone_and_the_rest_is_not() {
    let site = shared().await;
    let mut ada = site.sign_in("ada").await;
    ada.set("note", "\"hers\"", false).await;
    let mut bob = site.sign_in("bob").await;
    bob.set("note", "\"his\"", false).await;
    site.drain().await;
    let elsewhere = site.run(&["erase", "--user", "ada", "--namespace", "other"]).await;
    assert_eq!(elsewhere.code, 1, "another application's user: {elsewhere:?}");
    let erased = site.run(&["erase", "--user", "ada", "--json"]).await;
    assert_eq!(
        (erased.code, erased.json()),
        (0, json!({ "rows": 2, "unsealed_rows": 2, "notes_of_dead_letters": 0 }))
    );
    let left: Vec<String> = sqlx::query_scalar("SELECT e::text FROM cloakroom.session_event AS e")
        .fetch_all(&site.pool)
        .await
        .unwrap();
    let left = left.join("\n");
    assert!(!left.contains("ada") && !left.contains("hers") && left.contains("his"), "{left}");
    assert_eq!(site.run(&["erase", "--user", "ada"]).await.code, 1, "nothing is left to erase");
}
