//! What telling costs: two commands in the script, and no round trip.

use cloakroom::{service::SessionLayer, store::RedisStore};

use crate::world::{own, sign_in, visit, write};

#[tokio::test]
async fn an_event_is_two_commands_in_the_script() {
    let world = own();
    let redis = world.redis.unwrap();
    let cookie = sign_in(&world.here, "alice").await;
    let quiet = RedisStore::builder(redis.url()).namespace(&*world.namespace).shards(1).build().unwrap();
    let quiet = SessionLayer::new(quiet);
    write(&quiet, &cookie, "a").await;
    let mut calls = Vec::new();
    for layer in [&quiet, &world.here] {
        redis.reset_stats().unwrap();
        write(layer, &cookie, "a").await;
        calls.push(redis.command_calls());
    }
    let [before, mut with] = [calls.remove(0), calls.remove(0)];
    assert_eq!((with.remove("xadd"), with.remove("publish")), (Some(1), Some(1)));
    assert_eq!(with, before, "and nothing else");

    redis.reset_stats().unwrap();
    visit(&world.here, &cookie, async |session| session.get::<u32>("a").map(drop)).await;
    let read = redis.command_calls();
    assert_eq!((read.get("xadd"), read.get("publish")), (None, None), "a read tells nothing");
}
