use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::{Reply, ResponseFuture, head};
use crate::manager::{Manager, Opening};

/// What [`SessionLayer`](super::SessionLayer) makes of a service.
#[derive(Clone, Debug)]
pub struct SessionService<S, R> {
    inner: S,
    manager: Manager,
    reply: R,
}

impl<S, R> SessionService<S, R> {
    pub(super) fn new(inner: S, manager: Manager, reply: R) -> Self {
        Self { inner, manager, reply }
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: Reply<ResBody> + Clone,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let opening = match self.manager.token_header() {
            None => self.manager.begin(head::of(&request, &self.manager)),
            Some(name) => {
                head::mark_secret(&mut request, name);
                self.manager.begin_with(head::of(&request, &self.manager), head::lines(&request, name))
            }
        };
        let (manager, reply) = (self.manager.clone(), self.reply.clone());
        match opening {
            Opening::Ready(session) => {
                request.extensions_mut().insert(session.clone());
                let call = self.inner.call(request);
                ResponseFuture::calling(call, session, manager, reply)
            }
            Opening::Load(session) => {
                request.extensions_mut().insert(session.clone());
                // The service that was polled ready is the one to call; its clone is not ready.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                ResponseFuture::loading(inner, request, session, manager, reply)
            }
            Opening::Refused(refusal) => ResponseFuture::refused(refusal, manager, reply),
        }
    }
}
