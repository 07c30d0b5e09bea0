//! What makes something else than a response, or none at all.

use axum::{Router, routing::get};
use cloakroom::{manager::Refusal, service::SessionLayer, store::MemoryStore};

fn main() {
    let sessions = SessionLayer::new(MemoryStore::new()).with_reply(|refusal: &Refusal| refusal.to_string());
    let _: Router = Router::new().route("/", get(async || "")).layer(sessions);
    let sessions = SessionLayer::new(MemoryStore::new()).with_reply("sorry");
    let _: Router = Router::new().route("/", get(async || "")).layer(sessions);
}
