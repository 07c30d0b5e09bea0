//! axum: what reads the body comes last. The page of the extractors says how to be told.

use axum::{Router, routing::post};
use cloakroom::session::Session;

#[axum::debug_handler]
async fn note(text: String, session: Session) {
    let _ = session.insert("note", &text);
}

fn main() {
    let _: Router = Router::new().route("/", post(note));
}
