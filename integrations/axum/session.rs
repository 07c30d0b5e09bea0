use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};

use crate::{error::Error, session::Session};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = parts.extensions.get::<Self>().cloned().ok_or(SessionRejection::MissingLayer)?;
        session.load().await.map_err(SessionRejection::Store)?;
        session.mark_accessed();
        Ok(session)
    }
}

/// Why there is no [`Session`] to extract.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route is not behind a [`SessionLayer`](crate::service::SessionLayer): 500.
    MissingLayer,
    /// With lazy loading: the store did not answer. 503, or 500 for what will not mend itself.
    Store(Error),
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer => {
                const MISSING: &str = "no session in this request: add `.layer(SessionLayer::new(store))` to the \
                                       router, after the routes that use it\n";
                tracing::error!("{MISSING}");
                (StatusCode::INTERNAL_SERVER_ERROR, MISSING).into_response()
            }
            Self::Store(error) => {
                let mut response = error.into_response();
                if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        }
    }
}
