use std::time::Duration;

use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::{Authenticated, AuthenticatedRejection};
use crate::manager::step_up;
#[cfg(doc)]
use crate::session::Session;

/// [`Authenticated`] not longer than `SECONDS` ago, for what must not be done by whoever finds an open
/// browser. Otherwise 401 with a challenge that says how fresh it must be, in the form of RFC 9470; after
/// [`Session::reauthenticate`] or a new sign-in it lets in.
///
/// Both moments are of the store's clock.
///
/// ```
/// use cloakroom::axum::RequireFresh;
///
/// async fn change_password(RequireFresh(who): RequireFresh<300>) -> String {
///     format!("a new password for {}", who.user())
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::post(change_password);
/// ```
#[derive(Clone, Debug)]
pub struct RequireFresh<const SECONDS: u64>(pub Authenticated);

impl<S: Send + Sync, const SECONDS: u64> FromRequestParts<S> for RequireFresh<SECONDS> {
    type Rejection = FreshRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let who = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(FreshRejection::Authenticated)?;
        let fresh = who.session().require_fresh(Duration::from_secs(SECONDS));
        fresh.map(|()| Self(who)).map_err(FreshRejection::Stale)
    }
}

/// [`Authenticated`] by more than being [remembered](crate::session::Grade::Remembered): see
/// [`is_fully_authenticated`](Session::is_fully_authenticated). Otherwise as [`RequireFresh`], whose challenge
/// says then what a remembered session lacks.
///
/// ```
/// use cloakroom::axum::FullyAuthenticated;
///
/// async fn orders(FullyAuthenticated(who): FullyAuthenticated) -> String {
///     format!("the orders of {}", who.user())
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::get(orders);
/// ```
#[derive(Clone, Debug)]
pub struct FullyAuthenticated(pub Authenticated);

impl<S: Send + Sync> FromRequestParts<S> for FullyAuthenticated {
    type Rejection = FreshRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let who = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(FreshRejection::Authenticated)?;
        who.session().require_full().map(|()| Self(who.clone())).map_err(FreshRejection::Stale)
    }
}

/// Why somebody was not let in who may have signed in once.
#[derive(Debug)]
#[non_exhaustive]
pub enum FreshRejection {
    /// The sign-in is older than that: 401.
    Stale(Duration),
    /// Nobody is signed in, or there is no session to tell by.
    Authenticated(AuthenticatedRejection),
}

impl IntoResponse for FreshRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Stale(most) => {
                let (challenge, text) = step_up(most);
                let mut response = (StatusCode::UNAUTHORIZED, text).into_response();
                if let Ok(value) = HeaderValue::try_from(challenge) {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
                }
                response
            }
            Self::Authenticated(rejection) => rejection.into_response(),
        }
    }
}
