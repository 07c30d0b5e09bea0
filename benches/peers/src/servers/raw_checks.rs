//! By hand what checks as much as ours: a read refreshes the timeout, and looks at the epoch and at the deadline by
//! Redis' clock; a write compares the state, the epoch and the deadline in the least script that can. No token of any
//! strength, no layer, no values of their own: a write that was overtaken begins anew with all of it. What ours takes
//! beyond this is what all that costs.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use redis::{AsyncCommands as _, Script, aio::MultiplexedConnection};

use super::{
    HOUR, next,
    raw::{Visitor, key},
    wire,
};

const EPOCH: &str = "checks-epoch";

/// A session is a hash: `h` has its version and its deadline, `p` is JSON.
static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if redis.call('HGET', KEYS[1], 'h') == ARGV[1] and redis.call('GET', KEYS[2]) == ARGV[2]
          and now < tonumber(ARGV[3]) then
          redis.call('HSET', KEYS[1], 'h', ARGV[4], 'p', ARGV[5])
          redis.call('PEXPIRE', KEYS[1], ARGV[6])
          return 1
        end
        return 0",
    )
});

/// What was loaded.
struct Loaded {
    heads: String,
    epoch: String,
    visitor: Visitor,
}

pub async fn serve(redis: &str) {
    let client = redis::Client::open(redis).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = connection.set(EPOCH, 0).await.unwrap();
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/read", get(read))
        .route("/write", post(write))
        .route("/increment", post(increment))
        .route("/count", get(count))
        .with_state(connection);
    wire::serve(app).await;
}

async fn begin(
    State(mut redis): State<MultiplexedConnection>,
) -> ([(&'static str, String); 1], &'static str) {
    let key = format!("checks-{}-{}", std::process::id(), next());
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    let heads = format!("1 {}", (seconds + 24 * HOUR) * 1000);
    let json = serde_json::to_string(&Visitor::new()).unwrap();
    let mut pipe = redis::pipe();
    pipe.hset_multiple(&key, &[("h", heads), ("p", json)]).ignore().expire(&key, HOUR as i64).ignore();
    let () = pipe.query_async(&mut redis).await.unwrap();
    ([("set-cookie", format!("id={key}"))], "0")
}

async fn read(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.visitor.value.to_string()
}

async fn write(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    change(&mut redis, &headers, |visitor| visitor.value = next()).await.value.to_string()
}

async fn increment(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    change(&mut redis, &headers, |visitor| visitor.count += 1).await.count.to_string()
}

async fn count(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.visitor.count.to_string()
}

/// Again from the beginning for as long as somebody was faster.
async fn change(
    redis: &mut MultiplexedConnection,
    headers: &HeaderMap,
    change: impl Fn(&mut Visitor),
) -> Visitor {
    for _ in 0..10_000 {
        let mut loaded = load(redis, key(headers)).await;
        change(&mut loaded.visitor);
        if save(redis, key(headers), &loaded).await {
            return loaded.visitor;
        }
    }
    panic!("nobody can be so unlucky");
}

async fn load(redis: &mut MultiplexedConnection, key: &str) -> Loaded {
    const IDLE: u64 = HOUR * 1000;
    let mut pipe = redis::pipe();
    pipe.cmd("HMGET").arg(key).arg("h").arg("p");
    pipe.pexpire(key, IDLE as i64).ignore().pexpire_time(key).get(EPOCH);
    let ((heads, json), ends, epoch): ((String, String), u64, String) =
        pipe.query_async(redis).await.unwrap();
    let (_, deadline) = heads.split_once(' ').unwrap();
    assert!(ends - IDLE < deadline.parse().unwrap(), "past its deadline");
    Loaded { visitor: serde_json::from_str(&json).unwrap(), heads, epoch }
}

async fn save(redis: &mut MultiplexedConnection, key: &str, loaded: &Loaded) -> bool {
    let (version, deadline) = loaded.heads.split_once(' ').unwrap();
    let version: u64 = version.parse().unwrap();
    let mut script = SAVE.prepare_invoke();
    script.key(key).key(EPOCH).arg(&loaded.heads).arg(&loaded.epoch).arg(deadline);
    script.arg(format!("{} {deadline}", version + 1)).arg(serde_json::to_string(&loaded.visitor).unwrap());
    script.arg(HOUR * 1000).invoke_async::<u64>(redis).await.unwrap() == 1
}
