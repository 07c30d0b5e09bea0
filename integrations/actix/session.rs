use std::{fmt, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{
        StatusCode,
        header::{ContentType, HeaderValue, RETRY_AFTER},
    },
};

use crate::{error::Error, session::Session};

impl FromRequest for Session {
    type Error = SessionRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.extensions().get::<Self>().cloned();
        Box::pin(async move {
            let session = session.ok_or(SessionRejection::MissingMiddleware)?;
            session.load().await.map_err(SessionRejection::Store)?;
            session.mark_accessed();
            Ok(session)
        })
    }
}

/// Why there is no [`Session`] to extract.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route is not behind a [`SessionMiddleware`](super::SessionMiddleware): 500.
    MissingMiddleware,
    /// With lazy loading: the store did not answer. 503, or 500 for what will not mend itself.
    Store(Error),
}

const MISSING: &str = "no session in this request: add `.wrap(SessionMiddleware::new(store))` to the app, or to \
                       the scope that has the routes that use it\n";

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingMiddleware => f.write_str(MISSING.trim_end()),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::MissingMiddleware => None,
            Self::Store(error) => error.source(),
        }
    }
}

impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::MissingMiddleware => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::MissingMiddleware => {
                tracing::error!("{MISSING}");
                HttpResponse::InternalServerError().content_type(ContentType::plaintext()).body(MISSING)
            }
            Self::Store(error) => {
                let mut response = error.error_response();
                if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        }
    }
}
