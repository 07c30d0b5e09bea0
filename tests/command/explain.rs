//! `cloakroom explain` and `cloakroom sessions`

use serde_json::json;

use crate::site::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_explained_and_a_secret_is_not_told() {
    let site = shared().await;
    // What a visitor may call himself must not steer the operator's terminal.
    let mut visit = site.sign_in("ada\u{1b}[2J").await;
    visit.set("cart", "[\"tea\"]", false).await;
    visit.set("otp", "\"770001\"", true).await;
    visit.set("note", "1", false).await;
    site.drain().await;
    // Days later nobody knows the versions by heart, but a time.
    let reference = visit.at.reference.to_string();
    let second = "SELECT to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
                  FROM cloakroom.session_event WHERE version = 2";
    let second: String = sqlx::query_scalar(second).fetch_one(&site.pool).await.unwrap();

    let text = site.run(&["explain", &reference]).await;
    assert_eq!(text.code, 0, "{text:?}");
    for part in ["signed_in", "cart = [\"tea\"]", "otp = (not told)", "version 4", "ada"] {
        assert!(text.out.contains(part), "{part} is missing in {}", text.out);
    }
    assert!(!text.out.contains("770001") && !text.out.contains('\u{1b}'));
    let told = site.run(&["explain", "--json", &reference]).await.json();
    assert_eq!(told["state"]["keys"]["otp"]["json"], json!(null));
    assert_eq!((&told["state"]["version"], &told["state"]["complete"]), (&json!(4), &json!(true)));
    let then = site.run(&["explain", "--json", "--at", &second, &reference]).await.json();
    // Two events of one millisecond are told together.
    assert_eq!(then["state"]["keys"]["cart"]["version"].as_u64().map(|version| version >= 2), Some(true));
    assert!(then["events"].as_array().unwrap().len() >= 2, "{then}");

    let unknown = site.run(&["explain", &"A".repeat(43)]).await;
    assert_eq!(unknown.code, 1, "{unknown:?}");
    for arguments in [["explain", "no ref", "--json"], ["explain", &reference, "--at=yesterday-ish"]] {
        let wrong = site.run(&arguments).await;
        assert!(wrong.code == 2 && wrong.err.starts_with("error: "), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_sessions_are_listed_the_latest_first() {
    let site = shared().await;
    let first = site.sign_in("ada").await;
    first.end().await;
    let second = site.sign_in("ada").await;
    site.sign_in("bob").await;
    site.drain().await;
    let listed = site.run(&["sessions", "--user", "ada", "--json"]).await.json();
    let sessions = listed.as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{listed}");
    let expected = [(&second, json!(false), json!(null)), (&first, json!(true), json!("logged_out"))];
    for (session, (visit, ended, reason)) in sessions.iter().zip(expected) {
        assert_eq!(session["session"], json!(visit.at.reference.to_string()));
        assert_eq!((&session["ended"], &session["reason"]), (&ended, &reason));
        assert_eq!((&session["device"], &session["auth_method"]), (&json!("phone"), &json!("passkey")));
    }
    assert_eq!(
        site.run(&["sessions", "--user", "ada", "--json", "--limit", "1"]).await.json(),
        json!([sessions[0]])
    );
    let text = site.run(&["sessions", "--user", "ada"]).await;
    assert_eq!((text.code, text.out.matches("passkey").count()), (0, 2), "{text:?}");
    assert_eq!(site.run(&["sessions", "--user", "nobody"]).await.code, 1);
}
