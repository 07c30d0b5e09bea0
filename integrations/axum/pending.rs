use axum_core::extract::FromRequestParts;
use http::request::Parts;

use super::AuthenticatedRejection;
use crate::{
    error::Error,
    session::{FirstFactor, Session},
};

/// A session whose user passed the first of two factors: the opposite of
/// [`Authenticated`](super::Authenticated), which never lets such a session in. For the pages that ask for the
/// second one; see [`login_pending`](Session::login_pending).
///
/// ```
/// use cloakroom::{axum::PendingAuthentication, error::Error};
///
/// # fn is_code(_: &str, _: &str) -> bool { true }
/// async fn second_factor(first: PendingAuthentication, code: String) -> Result<&'static str, Error> {
///     if !is_code(first.user(), &code) {
///         return Ok("wrong");
///     }
///     first.complete("password+otp")?;
///     Ok("welcome")
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::post(second_factor);
/// ```
#[derive(Clone, Debug)]
pub struct PendingAuthentication {
    first: FirstFactor,
    session: Session,
}

impl PendingAuthentication {
    /// The application's id of the user who is not signed in yet.
    pub fn user(&self) -> &str {
        &self.first.user
    }

    /// How the first factor was passed.
    pub fn method(&self) -> Option<&str> {
        self.first.method.as_deref()
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Signs the user in: [`Session::complete_login`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn complete(&self, method: impl Into<String>) -> Result<(), Error> {
        self.session.complete_login(method)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PendingAuthentication {
    type Rejection = AuthenticatedRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let session = Session::from_request_parts(parts, state).await;
        let session = session.map_err(AuthenticatedRejection::Session)?;
        let first = session.first_factor().ok_or(AuthenticatedRejection::Nobody)?;
        Ok(Self { first, session })
    }
}
