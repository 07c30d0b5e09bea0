//! `cloakroom dead`

use serde_json::json;

use crate::{
    program::Running,
    site::{Site, shared, until},
};

const ONLY_PEOPLE: &str =
    "ALTER TABLE cloakroom.session_event ADD CONSTRAINT only_people CHECK (user_id <> 'robot')";
const EVERYBODY: &str = "ALTER TABLE cloakroom.session_event DROP CONSTRAINT only_people";

async fn with_letters(robots: usize) -> Site {
    let site = shared().await;
    sqlx::query(ONLY_PEOPLE).execute(&site.pool).await.unwrap();
    for _ in 0..robots {
        site.sign_in("robot").await;
    }
    site.drain().await;
    site
}

async fn names(site: &Site) -> Vec<String> {
    let listed = site.run(&["dead", "list", "--json"]).await.json();
    listed.as_array().unwrap().iter().map(|letter| letter["letter"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_listed_shown_put_back_and_dropped() {
    let site = with_letters(3).await;
    let list = site.run(&["dead", "list"]).await;
    assert_eq!((list.code, list.out.matches("signed_in").count()), (1, 3), "{list:?}");
    let names = names(&site).await;
    let page = site.run(&["dead", "list", "--json", "--limit", "2", "--after", &names[0]]).await.json();
    assert_eq!([&page[0]["letter"], &page[1]["letter"]], [&names[1], &names[2]]);

    let shown = site.run(&["dead", "show", "--json", &names[0]]).await.json();
    assert_eq!(
        (&shown["attempts"], &shown["version"], &shown["user"]),
        (&json!(5), &json!(1), &json!("robot"))
    );
    assert!(shown["error"].as_str().unwrap().starts_with("23514: "), "{shown}");
    let payload: serde_json::Value = serde_json::from_str(shown["payload"].as_str().unwrap()).unwrap();
    assert_eq!((&payload["kind"], &payload["ref"]), (&json!("signed_in"), &shown["session"]));
    assert!(site.run(&["dead", "show", &names[0]]).await.out.contains("stream id"));

    let dropped = site.run(&["dead", "drop", "--json", &names[0], "1/9-9"]).await;
    assert_eq!((dropped.code, dropped.json()), (1, json!({"done": [&names[0]], "missing": ["1/9-9"]})));
    assert_eq!(site.run(&["dead", "drop"]).await.code, 2, "there is no way to drop all by mistake");

    sqlx::query(EVERYBODY).execute(&site.pool).await.unwrap();
    let one = site.run(&["dead", "retry", &names[1]]).await;
    assert_eq!((one.code, one.out), (0, format!("{} is back in the queue\n", names[1])));
    let all = site.run(&["dead", "retry", "--all", "--json"]).await;
    assert_eq!((all.code, all.json()), (0, json!({"done": [&names[2]], "missing": []})));
    site.drain().await;
    assert_eq!(site.rows().await, 2);
    let none = site.run(&["dead", "list"]).await;
    assert_eq!((none.code, none.out.as_str()), (0, "no dead letters\n"));
}

/// Each is put back once, also when it dies again while others are put back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dies_again_is_not_put_back_in_a_circle() {
    let site = with_letters(4).await;
    let writer = Running::start(site.command(&["writer"]));
    let all = site.run(&["dead", "retry", "--all"]).await;
    assert_eq!(all.out, "4 letters are back in the queue\n");
    until("they die again", async || site.queue().dead_letters().await.unwrap() == 4).await;
    let (status, out, _) = tokio::task::spawn_blocking(move || writer.stop("TERM")).await.unwrap();
    assert!(status.success() && out.contains("4 dead letters"), "{out}");
}
