use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::SessionRejection;
use crate::{record::Ended, session::Session};

/// What became of the session that the request's cookie names, if it is no more and that is known: why, when, and
/// from which device. For "you were signed out because …"; everybody gets in.
///
/// It is remembered for [a day](crate::manager::SessionConfig::with_memory_of_ends) by default, and only told to
/// whoever still has the old token. A session that was not used for too long may leave nothing to tell of.
///
/// ```
/// use cloakroom::{actix::SessionEnded, record::EndReason};
///
/// async fn sign_in_page(SessionEnded(ended): SessionEnded) -> String {
///     match ended {
///         Some(ended) if ended.reason == EndReason::Evicted => {
///             format!("You were signed out by a sign-in on {}.", ended.device.as_deref().unwrap_or("another device"))
///         }
///         _ => "Please sign in.".to_owned(),
///     }
/// }
/// # let _ = actix_web::web::get().to(sign_in_page);
/// ```
#[derive(Clone, Debug)]
pub struct SessionEnded(pub Option<Ended>);

impl FromRequest for SessionEnded {
    type Error = SessionRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::from_request(request, payload);
        Box::pin(async move { Ok(Self(session.await?.ended())) })
    }
}
