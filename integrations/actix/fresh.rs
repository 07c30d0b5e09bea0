use std::{fmt, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{
        StatusCode,
        header::{ContentType, WWW_AUTHENTICATE},
    },
};

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
/// use cloakroom::actix::RequireFresh;
///
/// async fn change_password(RequireFresh(who): RequireFresh<300>) -> String {
///     format!("a new password for {}", who.user())
/// }
/// # let _ = actix_web::web::post().to(change_password);
/// ```
#[derive(Clone, Debug)]
pub struct RequireFresh<const SECONDS: u64>(pub Authenticated);

impl<const SECONDS: u64> FromRequest for RequireFresh<SECONDS> {
    type Error = FreshRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let who = who.await.map_err(FreshRejection::Authenticated)?;
            let fresh = who.session().require_fresh(Duration::from_secs(SECONDS));
            fresh.map(|()| Self(who)).map_err(FreshRejection::Stale)
        })
    }
}

/// [`Authenticated`] by more than being [remembered](crate::session::Grade::Remembered): see
/// [`is_fully_authenticated`](Session::is_fully_authenticated). Otherwise as [`RequireFresh`], whose challenge
/// says then what a remembered session lacks.
///
/// ```
/// use cloakroom::actix::FullyAuthenticated;
///
/// async fn orders(FullyAuthenticated(who): FullyAuthenticated) -> String {
///     format!("the orders of {}", who.user())
/// }
/// # let _ = actix_web::web::get().to(orders);
/// ```
#[derive(Clone, Debug)]
pub struct FullyAuthenticated(pub Authenticated);

impl FromRequest for FullyAuthenticated {
    type Error = FreshRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let who = who.await.map_err(FreshRejection::Authenticated)?;
            who.session().require_full().map(|()| Self(who.clone())).map_err(FreshRejection::Stale)
        })
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

impl fmt::Display for FreshRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(most) => write!(f, "the sign-in is older than {} s", most.as_secs()),
            Self::Authenticated(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for FreshRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stale(_) => None,
            Self::Authenticated(rejection) => rejection.source(),
        }
    }
}

impl ResponseError for FreshRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Stale(_) => StatusCode::UNAUTHORIZED,
            Self::Authenticated(rejection) => rejection.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Stale(most) => {
                let (challenge, text) = step_up(*most);
                HttpResponse::Unauthorized()
                    .content_type(ContentType::plaintext())
                    .insert_header((WWW_AUTHENTICATE, challenge))
                    .body(text)
            }
            Self::Authenticated(rejection) => rejection.error_response(),
        }
    }
}
