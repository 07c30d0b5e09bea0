use std::{fmt, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{StatusCode, header::ContentType},
};

use super::SessionRejection;
use crate::session::Session;

/// A session with somebody signed in. [`MaybeAuthenticated`] lets everybody through.
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

impl FromRequest for Authenticated {
    type Error = AuthenticatedRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = MaybeAuthenticated::from_request(request, payload);
        Box::pin(async move {
            let MaybeAuthenticated(who) = who.await.map_err(AuthenticatedRejection::Session)?;
            who.ok_or(AuthenticatedRejection::Nobody)
        })
    }
}

/// Whoever is signed in, if anybody is. A missing middleware and a store out of reach are still
/// answered with 500 and 503, of which `Option<Authenticated>` would make nobody: actix-web has an
/// `Option<T>` of its own for every extractor, and that swallows every rejection.
///
/// ```
/// use cloakroom::actix::MaybeAuthenticated;
///
/// async fn greet(MaybeAuthenticated(who): MaybeAuthenticated) -> String {
///     format!("hello, {}", who.as_ref().map_or("stranger", |who| who.user()))
/// }
/// # let _ = actix_web::web::get().to(greet);
/// ```
#[derive(Clone, Debug)]
pub struct MaybeAuthenticated(pub Option<Authenticated>);

impl FromRequest for MaybeAuthenticated {
    type Error = SessionRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::from_request(request, payload);
        Box::pin(async move {
            let session = session.await?;
            Ok(Self(session.user().map(|user| Authenticated { user, session })))
        })
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

impl fmt::Display for AuthenticatedRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody is signed in"),
            Self::Session(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for AuthenticatedRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Nobody => None,
            Self::Session(rejection) => rejection.source(),
        }
    }
}

impl ResponseError for AuthenticatedRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Nobody => StatusCode::UNAUTHORIZED,
            Self::Session(rejection) => rejection.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Nobody => {
                HttpResponse::Unauthorized().content_type(ContentType::plaintext()).body("Please sign in.\n")
            }
            Self::Session(rejection) => rejection.error_response(),
        }
    }
}
