//! The layer's own answers.

use http::{HeaderValue, Response, StatusCode, header};

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
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    match refusal {
        Refusal::Unavailable { retry_after, .. } => {
            headers.insert(header::RETRY_AFTER, retry_after.as_secs().max(1).into());
        }
        Refusal::Conflict { keys } => {
            // Names that are no header text are left out; the body and the extension have them all.
            if let Ok(keys) = HeaderValue::from_str(&keys.join(", ")) {
                headers.insert("session-conflict", keys);
            }
        }
        _ => {}
    }
    response
}
