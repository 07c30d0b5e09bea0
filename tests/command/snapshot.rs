//! `cloakroom snapshot`

use serde_json::json;

use crate::site::{file, shared};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_signed_is_taken_where_keys_are_given() {
    let site = shared().await;
    let [key, before] = [file("key"), file("before")];
    let public = site.run(&["seal-key", &key, "--name", "2026"]).await.out.trim().to_owned();
    let earlier = site.run(&["seal-key", &before, "--name", "2025"]).await.out.trim().to_owned();
    let mut ada = site.sign_in("ada").await;
    for n in 1..5 {
        ada.set("cart", &n.to_string(), false).await;
    }
    site.drain_sealed(&key).await;
    let every = ["snapshot", "--every", "2", "--settle", "0", "--json"];
    let made = async |more: &[&str]| site.run(&[&every[..], more].concat()).await.json()["snapshots"].clone();
    assert_eq!(made(&[]).await, json!(1));
    let unsigned = site.run(&["verify", "--seals", &public]).await;
    assert!(unsigned.code == 1 && unsigned.out.contains("not signed by a key"), "{unsigned:?}");
    // In its place.
    assert_eq!(made(&["--seal-key", &before]).await, json!(1));
    let other = site.run(&["verify", "--seals", &public]).await;
    assert!(other.code == 1 && other.out.contains("not signed by a key"), "{other:?}");
    assert_eq!(site.run(&["verify", "--seals", &public, &earlier]).await.code, 0);
    assert_eq!(made(&["--seal-key", &key, "--seals", &earlier]).await, json!(0), "it is trusted");
    assert_eq!(made(&["--seal-key", &key]).await, json!(1));
    assert_eq!(site.run(&["verify", "--seals", &public]).await.code, 0);
    let needs_a_key = site.run(&["snapshot", "--seals", &earlier]).await;
    assert_eq!(needs_a_key.code, 2, "{needs_a_key:?}");

    let dry = ["recover", "--dry-run", "--json", "--seals"];
    let since =
        async |key: &str| site.run(&[&dry[..], &[key]].concat()).await.json()["since_snapshots"].clone();
    assert_eq!((since(&public).await, since(&earlier).await), (json!(1), json!(0)));
    let edit = r"UPDATE cloakroom.session_snapshot SET user_id = 'bob'";
    sqlx::query(edit).execute(&site.pool).await.unwrap();
    let edited = site.run(&["verify", "--seals", &public]).await;
    assert!(edited.code == 1 && edited.out.contains("its snapshots at versions [5]"), "{edited:?}");
    assert_eq!(since(&public).await, json!(0));
}
