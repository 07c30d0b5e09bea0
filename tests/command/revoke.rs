//! `cloakroom revoke`

use serde_json::json;

use crate::site::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_all_of_a_user_and_those_of_everybody_are_ended() {
    let site = shared().await;
    let mut visits = Vec::new();
    for user in ["ada", "ada", "ada", "bob"] {
        let mut visit = site.sign_in_listed(user).await;
        visit.set("n", "1", false).await;
        visits.push(visit);
    }
    let listed = site.run(&["revoke", "--user", "ada", "--list", "--json"]).await.json();
    let sessions = listed.as_array().unwrap();
    assert_eq!((sessions.len(), &sessions[0]["device"]), (3, &json!("phone")), "{listed}");
    let text = site.run(&["revoke", "--user", "ada", "--list"]).await;
    assert_eq!((text.code, text.out.matches("passkey").count()), (0, 3), "{text:?}");

    let handle = sessions[0]["handle"].as_str().unwrap();
    let somebodys = site.run(&["revoke", "--user", "bob", "--handle", handle]).await;
    assert_eq!(somebodys.code, 1, "a handle names nothing of another user: {somebodys:?}");
    let one = site.run(&["revoke", "--user", "ada", "--handle", handle, "--json"]).await;
    assert_eq!((one.code, one.json()), (0, json!({ "ended": 1 })));
    let alive = async |n: usize| visits[n].get("n").await.is_some();
    let hers = [alive(0).await, alive(1).await, alive(2).await];
    assert_eq!(hers.iter().filter(|alive| **alive).count(), 2);
    let all = site.run(&["revoke", "--user", "ada"]).await;
    assert_eq!((all.code, all.out.as_str()), (0, "2 sessions ended\n"));
    assert!(!alive(0).await && !alive(1).await && !alive(2).await && alive(3).await);
    let none = site.run(&["revoke", "--user", "ada"]).await;
    assert_eq!(none.code, 1, "{none:?}");

    let everyone = site.run(&["revoke", "--everyone", "--json"]).await;
    assert_eq!((everyone.code, everyone.json()), (0, json!({ "epoch": 1 })));
    assert!(!alive(3).await);
    // The trail tells who it was.
    site.drain().await;
    let told: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT kind, reason, count(*) FROM cloakroom.session_event WHERE route = 'cloakroom revoke'
         GROUP BY kind, reason ORDER BY kind",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    let ends = ("ended".to_owned(), Some("revoked_by_admin".to_owned()), 3);
    assert_eq!(told, [ends, ("epoch".to_owned(), None, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_clear_ends_nobody() {
    let site = shared().await;
    let mut visit = site.sign_in_listed("ada").await;
    visit.set("n", "1", false).await;
    for arguments in [
        vec!["revoke"],
        vec!["revoke", "--user", "ada", "--everyone"],
        vec!["revoke", "--handle", "A"],
        vec!["revoke", "--everyone", "--handle", "A"],
        vec!["revoke", "--user", "ada", "--list", "--handle", "A"],
    ] {
        assert_eq!(site.run(&arguments).await.code, 2, "{arguments:?}");
    }
    let mistyped = site.run(&["revoke", "--everyone", "--namespace", "mistyped"]).await;
    assert!(mistyped.code == 4 && mistyped.err.contains("mistyped"), "{mistyped:?}");
    assert_eq!(site.run(&["revoke", "--user", "ada", "--handle", "no handle"]).await.code, 1);
    assert_eq!(visit.get("n").await.as_deref(), Some("1"));
    let untold = site.run(&["revoke", "--everyone", "--no-trail"]).await;
    assert_eq!((untold.code, site.queue().len().await.unwrap()), (0, 2), "only what the visit told");
}
