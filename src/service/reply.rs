//! The layer's own answers.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::manager::Refusal;

/// Makes the response for a [`Refusal`]. The layer adds the cookie and the caching headers.
pub trait Reply<B> {
    /// The response.
    fn reply(&self, refusal: &Refusal) -> Response<B>;
}

impl<B, F: Fn(&Refusal) -> Response<B>> Reply<B> for F {
    fn reply(&self, refusal: &Refusal) -> Response<B> {
        self(refusal)
    }
}

/// Status and headers with an empty body: for every body type that has a default.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

impl<B: Default> Reply<B> for EmptyBody {
    fn reply(&self, refusal: &Refusal) -> Response<B> {
        head(refusal, B::default())
    }
}

/// Status, headers, and one sentence of text for the person who reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextBody;

impl<B: From<String>> Reply<B> for TextBody {
    fn reply(&self, refusal: &Refusal) -> Response<B> {
        let mut response = head(refusal, B::from(format!("{refusal}\n")));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        response
    }
}

fn head<B>(refusal: &Refusal, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in refusal.headers() {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
