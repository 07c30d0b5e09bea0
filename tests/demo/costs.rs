use std::collections::BTreeMap;

use reqwest::Response;
use servers::Redis;

use crate::{browser::Browser, process::Demo};

by_each_framework!(the_costs_are_true);

fn told(response: &Response) -> &str {
    response.headers()["server-timing"].to_str().unwrap().trim_start_matches("redis;desc=")
}

/// What Redis was asked, without the test's own questions.
fn asked(redis: &Redis) -> BTreeMap<String, u64> {
    let mut calls = redis.command_calls();
    calls.retain(|name, _| !name.starts_with("config") && !name.starts_with("info"));
    redis.reset_stats().unwrap();
    calls
}

/// The demo's numbers are those of Redis' own statistics.
async fn the_costs_are_true(framework: &str) {
    let redis = Redis::durable().unwrap();
    let demo =
        Demo::with(&[("DEMO_FRAMEWORK", framework), ("REDIS_URL", &redis.url()), ("DEMO_TRAIL", "none")])
            .await;
    let browser = Browser::at(&demo);
    // The first request sets the namespace up, and the first use of a script loads it.
    browser.add("hat").await;
    browser.add("hat").await;
    browser.sign_in("alice").await;
    browser.submit("/account/sign-out-others", &[]).await;
    asked(&redis);

    let response = browser.get("/").await;
    assert_eq!(told(&response), "\"1 round trip, 4 commands\"");
    let load = ["get", "hvals", "pexpire", "pexpiretime"].map(|name| (name.to_owned(), 1));
    assert_eq!(asked(&redis), BTreeMap::from(load));
    assert!(response.text().await.unwrap().contains("<dd>1 round trip, 4 commands</dd>"));

    let response = browser.get("/account").await;
    assert_eq!(told(&response), "\"3 round trips, 9 commands\"");
    let mut list = asked(&redis);
    list.remove("get").expect("the bare ones, for the chart");
    let load_and_list = [("hget", 1), ("hgetall", 1), ("hvals", 1), ("pexpire", 1), ("pttl", 1), ("time", 1)];
    assert!(load_and_list.iter().all(|(name, count)| list[*name] == *count), "{list:?}");

    // What a script calls is counted by Redis as well, so only the scripts themselves are compared.
    let response = browser.submit("/cart/add", &[("item", "hat")]).await;
    assert_eq!(told(&response), "\"2 round trips, 5 commands\"");
    assert_eq!(asked(&redis)["evalsha"], 1);
    assert!(browser.page("/").await.contains("<dd>2 round trips, 5 commands</dd>"), "the last change");
    asked(&redis);

    let response = browser.submit("/sign-in", &[("name", "bob")]).await;
    assert_eq!(told(&response), "\"4 round trips, 7 commands\"");
    assert_eq!(asked(&redis)["evalsha"], 2);

    let response = Browser::at(&demo).get("/").await;
    assert_eq!(told(&response), "\"0 round trips, 0 commands\"");
    assert_eq!(asked(&redis), BTreeMap::new());

    let response = browser.submit("/account/sign-out-others", &[]).await;
    assert_eq!(told(&response), "\"3 round trips, 6 commands\"");
    assert_eq!(asked(&redis)["evalsha"], 1);

    let old = browser.token().unwrap();
    browser.submit("/sign-out", &[]).await;
    asked(&redis);
    browser.present(&old);
    assert_eq!(told(&browser.get("/").await), "\"2 round trips, 6 commands\"");
    assert_eq!(asked(&redis)["hgetall"], 1);
}
