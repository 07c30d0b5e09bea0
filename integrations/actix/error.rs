use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header::ContentType},
};

use crate::{error::Error, manager::answer};

/// So that a handler can use `?` on session calls. The body says what kind of error it was and nothing
/// of its cause, which goes to the log.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(answer(self).0)
    }

    fn error_response(&self) -> HttpResponse {
        tracing::error!(error = self as &dyn std::error::Error, "a session call failed");
        let (code, text) = answer(self);
        HttpResponse::build(status(code)).content_type(ContentType::plaintext()).body(text)
    }
}

pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
