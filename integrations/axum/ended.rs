use axum_core::extract::FromRequestParts;
use http::request::Parts;

use super::SessionRejection;
use crate::{record::Ended, session::Session};

/// What became of the session that the request's cookie names, if it is no more and that is known: why, when, and
/// from which device. For "you were signed out because …"; everybody gets in.
///
/// It is remembered for [a day](crate::manager::SessionConfig::with_memory_of_ends) by default, and only told to
/// whoever still has the old token. A session that was not used for too long may leave nothing to tell of.
///
/// ```
/// use cloakroom::{axum::SessionEnded, record::EndReason};
///
/// async fn sign_in_page(SessionEnded(ended): SessionEnded) -> String {
///     match ended {
///         Some(ended) if ended.reason == EndReason::Evicted => {
///             format!("You were signed out by a sign-in on {}.", ended.device.as_deref().unwrap_or("another device"))
///         }
///         _ => "Please sign in.".to_owned(),
///     }
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::get(sign_in_page);
/// ```
#[derive(Clone, Debug)]
pub struct SessionEnded(pub Option<Ended>);

impl<S: Send + Sync> FromRequestParts<S> for SessionEnded {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Session::from_request_parts(parts, state).await?.ended()))
    }
}
