//! What a careful hand would write: a read refreshes the timeout, and a write compares a version, in a script, before it
//! replaces the session. Nothing merges, nothing is told, nothing ends by epoch or deadline, and no token is strong: how
//! far we are from this is what those cost.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use redis::{Script, aio::MultiplexedConnection};

use super::{
    HOUR, next,
    raw::{Visitor, key},
    wire,
};

/// A session is its version, a space, and JSON.
static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local was = redis.call('GET', KEYS[1])
        if was and string.sub(was, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
        return 1",
    )
});

pub async fn serve(redis: &str) {
    let client = redis::Client::open(redis).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
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
    let key = format!("cas-{}-{}", std::process::id(), next());
    assert!(save(&mut redis, &key, 0, &Visitor::new()).await);
    ([("set-cookie", format!("id={key}"))], "0")
}

async fn read(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.1.value.to_string()
}

async fn write(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    change(&mut redis, &headers, |visitor| visitor.value = next()).await.value.to_string()
}

async fn increment(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    change(&mut redis, &headers, |visitor| visitor.count += 1).await.count.to_string()
}

async fn count(State(mut redis): State<MultiplexedConnection>, headers: HeaderMap) -> String {
    load(&mut redis, key(&headers)).await.1.count.to_string()
}

/// Again from the beginning for as long as somebody was faster.
async fn change(
    redis: &mut MultiplexedConnection,
    headers: &HeaderMap,
    change: impl Fn(&mut Visitor),
) -> Visitor {
    for _ in 0..10_000 {
        let (version, mut visitor) = load(redis, key(headers)).await;
        change(&mut visitor);
        if save(redis, key(headers), version, &visitor).await {
            return visitor;
        }
    }
    panic!("nobody can be so unlucky");
}

async fn load(redis: &mut MultiplexedConnection, key: &str) -> (u64, Visitor) {
    let mut pipe = redis::pipe();
    pipe.get(key).expire(key, HOUR as i64).ignore();
    let (text,): (String,) = pipe.query_async(redis).await.unwrap();
    let (version, json) = text.split_once(' ').unwrap();
    (version.parse().unwrap(), serde_json::from_str(json).unwrap())
}

async fn save(redis: &mut MultiplexedConnection, key: &str, version: u64, visitor: &Visitor) -> bool {
    let json = serde_json::to_string(visitor).unwrap();
    let mut script = SAVE.prepare_invoke();
    script.key(key).arg(format!("{version} ")).arg(format!("{} {json}", version + 1)).arg(HOUR);
    script.invoke_async::<u64>(redis).await.unwrap() == 1
}
