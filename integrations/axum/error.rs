use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{error::Error, manager::answer};

/// So that a handler can use `?` on session calls. The body says what kind of error it was and nothing
/// of its cause, which goes to the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        tracing::error!(error = &self as &dyn std::error::Error, "a session call failed");
        let (status, text) = answer(&self);
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text).into_response()
    }
}
