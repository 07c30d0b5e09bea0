//! Instances with different adapters share one store, and say the same of the same.

use http::{HeaderName, header};
use serde_json::json;

use crate::harness::{Adapter, Answer, NOBODY, Setup};

on_redis!(each_sees_what_the_others_wrote, each_ends_what_the_others_began, each_says_the_same_of_the_same);

async fn each_sees_what_the_others_wrote(setup: Setup) {
    let world = setup.start().await;
    for adapter in Adapter::ALL {
        let other = world.another_instance_on(adapter);
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        assert_eq!(other.run(&token, "user; read a").await.told(), [json!("alice"), json!(1)]);
        let held = world.hold(&token, "read a; hold; write b 1").await;
        assert_eq!(other.run(&token, "count a; write c 1").await.status, 200);
        assert_eq!(held.release().await.status, 200, "{adapter:?}: they merge");
        for instance in [&*world, &other] {
            let told = instance.run(&token, "read a; keys").await.told();
            assert_eq!(told, [json!(2), json!(["a", "b", "c"])], "{adapter:?}");
        }
        let renewed = other.run(&token, "renew").await.token();
        assert_eq!(world.run(&renewed, "user").await.one(), "alice", "{adapter:?}");
    }
}

async fn each_ends_what_the_others_began(setup: Setup) {
    let world = setup.start().await;
    for adapter in Adapter::ALL {
        let other = world.another_instance_on(adapter);
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let held = world.hold(&token, "hold; write a 2").await;
        assert!(other.run(&token, "logout").await.removes_cookie());
        assert_eq!(held.release().await.status, 409, "{adapter:?}: it is not revived");
        for instance in [&*world, &other] {
            let told = instance.run(&token, "user; keys; ended").await.told();
            assert_eq!(told, [json!(null), json!([]), json!("logged_out")], "{adapter:?}");
        }
    }
}

/// Status, every header that concerns the session, and the body, with the token aside.
async fn each_says_the_same_of_the_same(setup: Setup) {
    let mut world = setup.start().await;
    let mut instances: Vec<_> = Adapter::ALL.map(|adapter| world.another_instance_on(adapter)).into();
    instances.push((*world).clone());
    for steps in [
        "read a; status 204",
        "read a; keys; user; new; version",
        "write a 2",
        "read a; header cache-control public, max-age=60",
        "write b 1; header cache-control public; header vary Accept",
        "write b 1; status 404",
        "write b 1; status 500",
        "clear",
        "login bob",
        "login bob *; status 403",
        "login bob; header set-cookie theirs=1; header set-cookie __Host-Http-id=forged",
        "renew",
        "logout",
        "logout; status 500",
        "destroy",
        "destroy; write b 1",
    ] {
        for begun in [true, false] {
            let mut all = Vec::new();
            for instance in &instances {
                let token = match begun {
                    true => world.run(NOBODY, "write a 1").await.token(),
                    false => NOBODY.to_owned(),
                };
                all.push(told(&instance.run(&token, steps).await));
            }
            assert_same(steps, all);
        }
    }
    // The answers of the adapters themselves: gone, and then a store that is away.
    let mut all = Vec::new();
    for instance in &instances {
        let token = world.run(NOBODY, "write a 1").await.token();
        let held = instance.hold(&token, "hold; write a 2").await;
        world.run(&token, "logout").await;
        all.push(told(&held.release().await));
    }
    assert_same("gone", all);
    let token = world.run(NOBODY, "write a 1").await.token();
    world.redis_mut().kill().unwrap();
    let mut all = Vec::new();
    for instance in &instances {
        all.push(told(&instance.run(&token, "read a").await));
    }
    assert_same("out of reach", all);
}

type Told = (u16, Vec<Vec<String>>, String);

#[track_caller]
fn assert_same(steps: &str, all: Vec<Told>) {
    for pair in all.windows(2) {
        assert_eq!((pair[0].0, &pair[0].1), (pair[1].0, &pair[1].1), "{steps}");
    }
    // The bare service's own answers have none.
    let bodies: Vec<_> = all.iter().map(|told| &told.2).filter(|body| !body.is_empty()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{steps}: {bodies:?}");
}

fn told(answer: &Answer) -> Told {
    const HEADERS: [HeaderName; 4] =
        [header::SET_COOKIE, header::CACHE_CONTROL, header::VARY, header::RETRY_AFTER];
    let token = answer.issued();
    let hide = |text: String| match &token {
        Some(token) => text.replace(token, "TOKEN"),
        None => text,
    };
    let headers = HEADERS.map(|name| answer.all(name).into_iter().map(hide).collect());
    (answer.status, headers.into(), String::from_utf8(answer.body.clone()).unwrap())
}
