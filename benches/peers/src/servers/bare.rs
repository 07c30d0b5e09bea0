//! What HTTP alone costs: no session at all.

use axum::{
    Router,
    routing::{get, post},
};

use super::{next, wire};

pub async fn serve() {
    let app = Router::new()
        .route("/begin", post(async || ([("set-cookie", "id=nobody")], "0")))
        .route("/read", get(async || "0"))
        .route("/write", post(async || next().to_string()))
        .route("/increment", post(async || "0"))
        .route("/count", get(async || "0"));
    wire::serve(app).await;
}
