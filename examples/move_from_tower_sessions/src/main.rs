//! `cargo run -p move_from_tower_sessions`: the application before its move on port 3000, and after it
//! on port 3001. A browser sends its cookies to both:
//!
//! ```sh
//! curl -s -c jar -b jar localhost:3000/count localhost:3000/count localhost:3000/sign-in
//! curl -s -c jar -b jar localhost:3001/account localhost:3001/count
//! ```

use cloakroom::store::MemoryStore;
use move_from_tower_sessions::{after, before};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let old = tower_sessions::MemoryStore::default();
    let before = axum::serve(TcpListener::bind("127.0.0.1:3000").await?, before::app(old.clone()));
    let after = after::app(MemoryStore::new(), old);
    let after = axum::serve(TcpListener::bind("127.0.0.1:3001").await?, after);
    tokio::try_join!(before.into_future(), after.into_future()).map(drop)
}
