use std::{
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage as _,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
};

use super::{Reply, ResponseFuture, head};
use crate::manager::{Manager, Opening};

/// What [`SessionMiddleware`](super::SessionMiddleware) makes of a service.
#[derive(Debug)]
pub struct SessionService<S, R> {
    inner: Rc<S>,
    manager: Manager,
    reply: Rc<R>,
}

impl<S, R> SessionService<S, R> {
    pub(super) fn new(inner: S, manager: Manager, reply: Rc<R>) -> Self {
        Self { inner: Rc::new(inner), manager, reply }
    }
}

impl<S, R, B> Service<ServiceRequest> for SessionService<S, R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    R: Reply + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let opening = match self.manager.token_header() {
            None => self.manager.begin(head::of(&request, &self.manager)),
            Some(name) => {
                head::mark_secret(&mut request, name);
                self.manager.begin_with(head::of(&request, &self.manager), head::lines(&request, name))
            }
        };
        let (manager, reply) = (self.manager.clone(), Rc::clone(&self.reply));
        match opening {
            Opening::Ready(session) => {
                request.extensions_mut().insert(session.clone());
                ResponseFuture::calling(self.inner.call(request), session, manager, reply)
            }
            Opening::Load(session) => {
                request.extensions_mut().insert(session.clone());
                // actix-web's readiness is the service's and not the caller's, so this one may be called later.
                ResponseFuture::loading(Rc::clone(&self.inner), request, session, manager, reply)
            }
            Opening::Refused(refusal) => ResponseFuture::refused(request, refusal, manager, reply),
        }
    }
}
