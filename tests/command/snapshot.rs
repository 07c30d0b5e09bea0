//! `cloakroom snapshot`

use serde_json::json;

use crate::site::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_session_is_recovered_from_its_snapshot() {
    let site = shared().await;
    let mut ada = site.sign_in("ada").await;
    for n in 1..5 {
        ada.set("cart", &n.to_string(), false).await;
    }
    site.drain().await;
    let made = site.run(&["snapshot", "--every", "5", "--settle", "0", "--json"]).await;
    assert_eq!(
        (made.code, made.json()),
        (0, json!({ "sessions": 1, "rows": 5, "snapshots": 1 })),
        "{made:?}"
    );
    let again = site.run(&["snapshot", "--every", "5", "--settle", "0"]).await;
    assert!(again.out.starts_with("0 snapshots of 1 sessions"), "{again:?}");
    ada.set("cart", "[]", false).await;
    site.drain().await;
    site.forget().await;
    let whole = site.run(&["recover", "--shards", "2", "--without-snapshots", "--dry-run", "--json"]).await;
    assert_eq!((&whole.json()["rows"], &whole.json()["since_snapshots"]), (&json!(6), &json!(0)));
    let report = site.run(&["recover", "--shards", "2", "--json"]).await;
    let told = report.json();
    assert_eq!((report.code, &told["rows"], &told["since_snapshots"]), (0, &json!(1), &json!(1)), "{told}");
    assert_eq!(ada.get("cart").await.as_deref(), Some("[]"));
}
