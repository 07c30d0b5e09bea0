//! `cloakroom recover`

use std::{fs, time::Duration};

use cloakroom::{id::ShardCount, store::RedisStore};
use serde_json::json;

use crate::{
    program::run,
    site::{file, shared},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_lost_comes_back() {
    let site = shared().await;
    let mut ada = site.sign_in("ada").await;
    ada.set("cart", "[\"tea\"]", false).await;
    let bob = site.sign_in("bob").await;
    bob.end().await;
    let mut carol = site.sign_in("carol").await;
    carol.set("cart", "1", false).await;
    carol.set("otp", "\"770001\"", true).await;
    let second = (0..).map(|n| format!("user-{n}"));
    let mut second = second.filter(|user| ShardCount::new(2).unwrap().of_user(user).index() == 1);
    let mut dave = site.sign_in_listed(&second.next().unwrap()).await;
    dave.set("cart", "2", false).await;
    site.drain().await;
    let now = "SELECT to_char(max(occurred_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
               FROM cloakroom.session_event";
    let moment: String = sqlx::query_scalar(now).fetch_one(&site.pool).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    ada.set("cart", "[]", false).await;
    site.drain().await;
    site.forget().await;

    let unknown = site.run(&["recover"]).await;
    assert!(unknown.code == 4 && unknown.err.contains("--shards"), "{unknown:?}");
    let few = site.run(&["recover", "--shards", "1"]).await;
    // It must not be written down, since it can't be changed then.
    assert!(few.code == 4 && few.err.contains("shard 1"), "{few:?}");
    let dry = site.run(&["recover", "--shards", "2", "--dry-run", "--json"]).await;
    let told = dry.json();
    assert_eq!((&told["sessions"], &told["restored"], &told["ended"]), (&json!(4), &json!(3), &json!(1)));
    assert_eq!((dry.code, &told["dry_run"]), (1, &json!(true)), "a secret will be missing");
    assert_eq!(ada.get("cart").await, None);

    let one = site.run(&["recover", "--shards", "2", "--user", "ada", "--to", &moment]).await;
    assert_eq!((one.code, one.err.as_str()), (0, ""), "{one:?}");
    assert!(one.out.contains("1 put back") && one.out.contains("the trail reaches until"), "{one:?}");
    assert_eq!(ada.get("cart").await.as_deref(), Some("[\"tea\"]"), "as it was at that time");
    assert_eq!(carol.get("cart").await, None);
    let all = site.run(&["recover", "--json"]).await;
    let told = all.json();
    assert_eq!((&told["restored"], &told["present"]), (&json!(2), &json!(1)), "{told}");
    assert_eq!(dave.get("cart").await.as_deref(), Some("2"));
    assert_eq!(told["problems"][0]["session"], json!(carol.at.reference.to_string()));
    assert!(told["problems"][0]["text"].as_str().unwrap().contains("otp"));
    assert_eq!((all.code, carol.get("cart").await.as_deref()), (1, Some("1")));
    assert!(!format!("{all:?}{one:?}").contains("770001"));
    assert_eq!(bob.get("cart").await, None);

    let wrong = site.run(&["recover", "--to", "yesterday-ish"]).await;
    assert!(wrong.code == 2 && wrong.err.contains("yesterday-ish"), "{wrong:?}");
}

const PEPPER: &str = "hunter2-hunter2-hunter2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pepper_comes_from_a_file_or_the_environment() {
    let mut site = shared().await;
    let store = RedisStore::builder(&site.redis_url).namespace(&site.namespace).shards(2).audit(true);
    site.store = store.pepper(PEPPER).timeout(Duration::from_secs(10)).build().unwrap();
    let mut ada = site.sign_in("ada").await;
    ada.set("n", "1", false).await;
    site.drain().await;
    let pepper = file("pepper");
    fs::write(&pepper, format!("{PEPPER}\n")).unwrap();
    for by_file in [true, false] {
        site.forget().await;
        let mut command = site.command(&["recover", "--shards", "2"]);
        match by_file {
            true => command.args(["--pepper-file", &pepper]),
            false => command.env("CLOAKROOM_PEPPER", PEPPER),
        };
        let done = run(command).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(ada.get("n").await.as_deref(), Some("1"));
        assert!(!format!("{done:?}").contains("hunter2"));
        // For the next round.
        site.drain().await;
    }
    fs::write(&pepper, "short").unwrap();
    let short = site.run(&["recover", "--pepper-file", &pepper]).await;
    assert!(short.code == 2 && short.err.contains("pepper") && !short.err.contains("short\""), "{short:?}");
    let none = site.run(&["recover", "--pepper-file", "/nowhere/pepper"]).await;
    assert!(none.code == 2 && none.err.contains("/nowhere/pepper"), "{none:?}");
}
