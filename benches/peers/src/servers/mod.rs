//! The servers under test: the same routes by each library, as its documentation says.
//!
//! | route | does |
//! |---|---|
//! | `POST /begin` | begins a session of ten values: eight of 64 bytes, `value` and `count` |
//! | `GET /read` | answers `value` |
//! | `POST /write` | replaces `value` |
//! | `POST /increment` | adds one to `count`, in the way that the library's users would |
//! | `GET /count` | answers `count` |

mod actix_session;
mod axum_session;
mod bare;
mod ours_actix;
mod ours_axum;
mod raw;
mod raw_cas;
mod raw_checks;
mod tower_sessions;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};

/// How a server is started, by its name. `express` is a program of its own.
pub async fn serve(name: &str, redis: &str) {
    match name {
        "bare" => bare::serve().await,
        "raw" => raw::serve(redis).await,
        "raw-cas" => raw_cas::serve(redis).await,
        "raw-checks" => raw_checks::serve(redis).await,
        "ours-axum" => ours_axum::serve(redis, false).await,
        "ours-axum-audit" => ours_axum::serve(redis, true).await,
        "ours-actix" => ours_actix::serve(redis).await,
        "tower-sessions" => tower_sessions::serve(redis).await,
        "axum_session" => axum_session::serve(redis).await,
        "actix-session" => actix_session::serve(redis, false).await,
        "actix-session-ttl" => actix_session::serve(redis, true).await,
        other => panic!("no server is called {other}"),
    }
}

/// What is told of each in the table.
pub const NAMES: [(&str, &str); 12] = [
    ("bare", "axum without any session"),
    ("raw", "axum, hand-written: GET, or GET and SET, on one multiplexed connection"),
    (
        "raw-cas",
        "the same, but it refreshes the timeout, and compares a version in a script before it replaces the whole",
    ),
    ("raw-checks", "the same, and it looks at an epoch and at a deadline, with the commands that ours takes"),
    ("ours-axum", "cloakroom on axum"),
    ("ours-axum-audit", "cloakroom on axum, with the audit trail"),
    ("ours-actix", "cloakroom on actix-web"),
    ("tower-sessions", "tower-sessions 0.14, tower-sessions-redis-store 0.16 (a pool of six)"),
    ("axum_session", "axum_session 0.22, axum_session_redispool 0.13 (reads from the process' memory)"),
    ("actix-session", "actix-session 0.11, redis-rs (reads do not refresh the timeout)"),
    ("actix-session-ttl", "the same, refreshing the timeout on every request"),
    ("express", "express 5, express-session, connect-redis, on node"),
];

/// The values that only make a session as large as sessions are.
const FILLING: [&str; 8] = ["key-0", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7"];
const HOUR: u64 = 3600;

fn filling() -> String {
    "x".repeat(62)
}

/// Another value at each call, so that no write can be skipped as a repetition.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
