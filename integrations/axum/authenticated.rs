use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use super::SessionRejection;
use crate::session::Session;

/// A session with somebody signed in. As `Option<Authenticated>` it lets everybody through.
#[derive(Clone, Debug)]
pub struct Authenticated {
    user: String,
    session: Session,
}

impl Authenticated {
    /// The application's id of the user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Authenticated {
    type Rejection = AuthenticatedRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let who = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(AuthenticatedRejection::Session)?;
        who.ok_or(AuthenticatedRejection::Nobody)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Authenticated {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        let session = Session::from_request_parts(parts, state).await?;
        Ok(session.user().map(|user| Self { user, session }))
    }
}

/// Why nobody was let in.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthenticatedRejection {
    /// Nobody is signed in: 401.
    Nobody,
    /// There is no session to tell by.
    Session(SessionRejection),
}

impl IntoResponse for AuthenticatedRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Nobody => (StatusCode::UNAUTHORIZED, "Please sign in.\n").into_response(),
            Self::Session(rejection) => rejection.into_response(),
        }
    }
}
