//! `cargo run -p axum_login_example`: axum-login on port 3000, this crate alone on port 3001.
//!
//! ```sh
//! curl -si -c jar -d name=alice -d password=wonderland localhost:3000/sign-in
//! curl -si -b jar localhost:3000/account
//! ```

use axum_login_example::{ours, theirs};
use cloakroom::store::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // In production: `RedisStore::new("redis://127.0.0.1")?`. Both may share one.
    let store = MemoryStore::new();
    let theirs = axum::serve(TcpListener::bind("127.0.0.1:3000").await?, theirs::app(store.clone()));
    let ours = axum::serve(TcpListener::bind("127.0.0.1:3001").await?, ours::app(store));
    tokio::try_join!(theirs.into_future(), ours.into_future()).map(drop)
}
