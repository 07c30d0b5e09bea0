//! The middleware's own answers.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{ContentType, HeaderName, HeaderValue},
};

use super::error::status;
use crate::manager::Refusal;

/// Makes the response for a [`Refusal`]. The middleware adds the cookie and the caching headers.
pub trait Reply {
    /// The response.
    fn reply(&self, refusal: &Refusal) -> HttpResponse;
}

impl<F: Fn(&Refusal) -> HttpResponse> Reply for F {
    fn reply(&self, refusal: &Refusal) -> HttpResponse {
        self(refusal)
    }
}

/// Status, headers, and one sentence of text for the person who reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextBody;

impl Reply for TextBody {
    fn reply(&self, refusal: &Refusal) -> HttpResponse {
        let mut response = HttpResponse::build(status(refusal.status()))
            .content_type(ContentType::plaintext())
            .body(format!("{refusal}\n"));
        for (name, value) in refusal.headers() {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// The response, which also tells what it is for.
pub(super) fn refuse(refusal: Arc<Refusal>, reply: &impl Reply) -> HttpResponse {
    let mut response = reply.reply(&refusal);
    response.extensions_mut().insert(refusal);
    response
}
