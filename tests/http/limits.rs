//! What a session may hold, and what it does with what it can't read (D2, D3).

use cloakroom::{manager::SessionConfig, session::Limits};
use serde_json::{Value, json};

use crate::{
    harness::{NOBODY, Setup},
    meta,
};

everywhere!(
    bytes_are_limited_to_the_byte,
    keys_are_limited_to_the_key,
    depth_is_limited_to_the_level,
    limits_are_configurable,
    limits_count_what_stays_and_not_what_goes,
    a_value_of_another_type_spoils_only_its_own_key,
    names_are_plain_text,
);
on_redis!(a_damaged_value_spoils_only_its_own_key);

const KEPT: &str = "write kept 1";

async fn bytes_are_limited_to_the_byte(setup: Setup) {
    let world = setup.start().await;
    // The name, two quotes, and the value.
    let full = 64 * 1024 - 1 - 2;
    let token = world.run(NOBODY, &format!("fill a {full}")).await.token();
    let answer = world.run(NOBODY, &format!("fill a {}", full + 1)).await;
    assert_eq!((answer.status, answer.cookie_line()), (413, None));
    for steps in ["write b 1".to_owned(), format!("fill a {}", full + 1), "fill b 70000".to_owned()] {
        let answer = world.run(&token, &steps).await;
        assert_eq!((answer.status, answer.cookie_line()), (413, None), "{steps}");
        assert_eq!(world.run(&token, "keys; version").await.told(), [json!(["a"]), json!(1)]);
    }
    assert_eq!(world.run(&token, "write a 1; fill b 65000").await.status, 200);
    assert_eq!(world.run(&token, "read a; version").await.told(), [json!(1), json!(2)]);
}

async fn keys_are_limited_to_the_key(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "many k 256").await.token();
    assert_eq!(world.run(&token, "write one 1").await.status, 413);
    assert_eq!(world.run(&token, "count one").await.status, 413);
    assert_eq!(world.run(&token, "write k7 8; remove k8; write one 1").await.status, 200);
    let keys = world.run(&token, "keys").await.one();
    assert_eq!(keys.as_array().unwrap().len(), 256);
    assert_eq!(
        world.run(&token, "read k7; read k8; read one").await.told(),
        [json!(8), Value::Null, json!(1)]
    );
    // Even Lua's `unpack` takes all of them at once.
    let token = world.run(&token, "login alice *").await.token();
    assert_eq!(world.run(&token, "keys").await.one().as_array().unwrap().len(), 256);
}

async fn depth_is_limited_to_the_level(setup: Setup) {
    let world = setup.start().await;
    let nested = |depth| format!("write deep {}{}", "[".repeat(depth), "]".repeat(depth));
    let token = world.run(NOBODY, KEPT).await.token();
    assert_eq!(world.run(&token, &nested(33)).await.status, 413);
    assert_eq!(world.run(&token, "keys; version").await.told(), [json!(["kept"]), json!(1)]);
    assert_eq!(world.run(&token, &nested(32)).await.status, 200);
    assert_eq!(world.run(&token, "read kept; version").await.told(), [json!(1), json!(2)]);
}

async fn limits_are_configurable(setup: Setup) {
    let limits = Limits::default().with_bytes(16).with_keys(2).with_depth(1);
    let world = setup.with(SessionConfig::default().with_limits(limits)).await;
    let token = world.run(NOBODY, "write a 1; write b [2]").await.token();
    for steps in ["write c 1", "write a [[]]", "write a \"0123456789\"", "many k 1"] {
        assert_eq!(world.run(&token, steps).await.status, 413, "{steps}");
    }
    assert_eq!(world.run(&token, "read a; read b; version").await.told(), [json!(1), json!([2]), json!(1)]);
}

async fn limits_count_what_stays_and_not_what_goes(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "fill a 60000").await.token();
    for steps in
        ["remove a; fill b 60000", "clear; fill a 60000", "fill a 1; fill b 60000; remove b; fill c 60000"]
    {
        assert_eq!(world.run(&token, steps).await.status, 200, "{steps}");
    }
    let token = world.run(NOBODY, "fill a 60000; write small 1").await.token();
    let token = world.run(&token, "login alice small; fill b 60000").await.token();
    assert_eq!(world.run(&token, "keys").await.one(), json!(["b", "small"]));
}

async fn a_value_of_another_type_spoils_only_its_own_key(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a \"text\"; write b 2").await.token();
    let told = world.run(&token, "number a; number b; read a; keys; user").await.told();
    assert_eq!(told, [json!("not a number"), json!(2), json!("text"), json!(["a", "b"]), Value::Null]);
    assert_eq!(world.run(&token, "count a").await.status, 500, "an update can't, either");
    assert_eq!(
        world.run(&token, "read a; count b; read b; version").await.told()[..2],
        [json!("text"), json!(3)]
    );
    assert_eq!(world.run(&token, "write a 1; count a").await.status, 200);
    assert_eq!(world.run(&token, "number a").await.one(), 2);
}

async fn names_are_plain_text(setup: Setup) {
    let world = setup.start().await;
    let long = "n".repeat(129);
    for name in ["a\r\nb", "\u{1b}[31m", &long, "a\u{7f}"] {
        let answer = world.run(NOBODY, &format!("write {name} 1")).await;
        assert_eq!((answer.status, answer.cookie_line()), (500, None), "{name:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(name), "{answer:?}");
    }
    let token = world.run(NOBODY, "write {tag}:s:* 1; write é 2; write .v 3; write v 4").await.token();
    let told = world.run(&token, "keys; read .v; read v; version").await.told();
    assert_eq!(told, [json!([".v", "v", "{tag}:s:*", "é"]), json!(3), json!(4), json!(1)]);
}

async fn a_damaged_value_spoils_only_its_own_key(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1; write b 2").await.token();
    let key = world.key("s", &token).unwrap();
    let together =
        |json: &str| meta::PACKED.to_owned() + &meta::small(1, "a", json) + &meta::small(1, "b", "2");
    let (half, none) = (meta::own(1, "a", "{\"half\":"), meta::own(1, "a", ""));
    let alone = ["", "garbage", &half, &none, &none[..8], "\0\0\0\0\0\u{1}\u{7f}\0a1", "{}"];
    let damages = [together("{\"half\":"), together("x"), together("")].map(|damage| ("p", damage));
    let without = ("p", meta::PACKED.to_owned() + &meta::small(1, "b", "2"));
    let alone = alone.map(|damage| (".a", damage.to_owned()));
    for (field, damage) in damages.into_iter().chain([without]).chain(alone) {
        world.redis().command(&["HSET", &key, field, &damage]).unwrap();
        let told = world.run(&token, "number a; read b; user").await.told();
        assert!([json!("not a number"), Value::Null].contains(&told[0]), "{damage:?}: {told:?}");
        assert_eq!(told[1], 2, "{damage:?}");
        assert_eq!(world.run(&token, "read a").await.cookie_line(), None);
    }
    // Writing it mends it.
    assert_eq!(world.run(&token, "write a 7").await.status, 200);
    assert_eq!(world.run(&token, "number a; read b").await.told(), [json!(7), json!(2)]);
}
