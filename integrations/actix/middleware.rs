use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};

use super::{Reply, SessionService, TextBody};
use crate::{
    manager::{Manager, SessionConfig},
    store::SessionStore,
};

/// Gives every request a session. See the [module](super). A clone shares the store: make one, and wrap
/// a clone in every worker.
#[derive(Clone, Debug)]
pub struct SessionMiddleware<R = TextBody> {
    manager: Manager,
    reply: R,
}

impl SessionMiddleware {
    /// Sessions in `store`, with the safe defaults.
    pub fn new(store: impl SessionStore) -> Self {
        Self::with_config(store, SessionConfig::default())
    }

    /// Sessions in `store`, with another configuration.
    pub fn with_config(store: impl SessionStore, config: SessionConfig) -> Self {
        Self { manager: Manager::new(store, config), reply: TextBody }
    }
}

impl<R> SessionMiddleware<R> {
    /// How the middleware's own answers look. Default: [`TextBody`]. A closure from a
    /// [`Refusal`](crate::manager::Refusal) to an [`HttpResponse`](actix_web::HttpResponse) does, too.
    pub fn with_reply<R2: Reply>(self, reply: R2) -> SessionMiddleware<R2> {
        SessionMiddleware { manager: self.manager, reply }
    }
}

impl<S, R, B> Transform<S, ServiceRequest> for SessionMiddleware<R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    R: Reply + Clone + 'static,
    B: MessageBody,
{
    type Response = <SessionService<S, R> as Service<ServiceRequest>>::Response;
    type Error = Error;
    type Transform = SessionService<S, R>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService::new(inner, self.manager.clone(), Rc::new(self.reply.clone()))))
    }
}
