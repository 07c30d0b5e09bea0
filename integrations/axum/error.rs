use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::error::{Error, ErrorKind};

/// So that a handler can use `?` on session calls. The body says what kind of error it was and nothing
/// of its cause, which goes to the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self.kind() {
            ErrorKind::Unavailable | ErrorKind::Random | ErrorKind::Mismatch => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorKind::Limit => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Superseded => StatusCode::CONFLICT,
            ErrorKind::NotAuthenticated => StatusCode::UNAUTHORIZED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::error!(error = &self as &dyn std::error::Error, "a session call failed");
        let text = match status {
            StatusCode::SERVICE_UNAVAILABLE => "Sessions are out of reach at the moment. Please try again.\n",
            StatusCode::PAYLOAD_TOO_LARGE => "The session is full.\n",
            StatusCode::UNAUTHORIZED => "Please sign in.\n",
            StatusCode::CONFLICT => "This session was renewed. Please try again.\n",
            _ => "The session could not be processed.\n",
        };
        (status, text).into_response()
    }
}
