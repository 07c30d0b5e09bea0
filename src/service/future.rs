use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tower::Service;

use super::{Reply, headers::Headers};
use crate::{
    error::Error,
    manager::{Ending, Manager, Refusal, Turn},
    session::Session,
};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What [`SessionService`](super::SessionService) answers with. Dropping it before it is done leaves
/// all of a commit or none.
#[pin_project]
pub struct ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    #[pin]
    state: State<S, ReqBody, ResBody>,
    manager: Manager,
    reply: R,
    turn: Turn,
}

/// A request without a cookie goes straight to `Calling` and, if it writes nothing, is never boxed.
#[pin_project(project = Project)]
enum State<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    Loading {
        load: Boxed<Result<(), Error>>,
        next: Option<(S, Request<ReqBody>)>,
    },
    Calling {
        #[pin]
        call: S::Future,
    },
    Committing {
        commit: Boxed<Ending>,
        response: Option<Response<ResBody>>,
    },
    Refused(Option<Refusal>),
}

impl<S, R, ReqBody, ResBody> ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn loading(
        inner: S,
        request: Request<ReqBody>,
        session: Session,
        manager: Manager,
        reply: R,
    ) -> Self {
        let loading = session.clone();
        let load = Box::pin(async move { loading.load().await });
        Self {
            state: State::Loading { load, next: Some((inner, request)) },
            manager,
            reply,
            turn: Turn::of(session),
        }
    }

    pub(super) fn calling(call: S::Future, session: Session, manager: Manager, reply: R) -> Self {
        Self { state: State::Calling { call }, manager, reply, turn: Turn::of(session) }
    }

    pub(super) fn refused(refusal: Refusal, manager: Manager, reply: R) -> Self {
        Self { state: State::Refused(Some(refusal)), manager, reply, turn: Turn::refused() }
    }
}

impl<S, R, ReqBody, ResBody> Future for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: Reply<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Project::Loading { load, next } => match ready!(load.as_mut().poll(cx)) {
                    Ok(()) => {
                        let Some((mut inner, request)) = next.take() else { return Poll::Pending };
                        State::Calling { call: inner.call(request) }
                    }
                    Err(error) => State::Refused(Some(this.manager.load_failed(error))),
                },
                Project::Calling { call } => {
                    let response = ready!(call.poll(cx))?;
                    let status = response.status().as_u16();
                    if let Some(ending) = this.turn.finish_at_once(this.manager, status) {
                        return Poll::Ready(Ok(dress(response, &ending, this.manager)));
                    }
                    let Some(session) = this.turn.session().cloned() else { return Poll::Pending };
                    let manager = this.manager.clone();
                    let commit = Box::pin(async move { manager.finish(&session, status).await });
                    State::Committing { commit, response: Some(response) }
                }
                Project::Committing { commit, response } => {
                    let mut ending = ready!(commit.as_mut().poll(cx));
                    let Some(response) = response.take() else { return Poll::Pending };
                    let response = match ending.refusal.take() {
                        Some(refusal) => refuse(refusal, this.reply),
                        None => response,
                    };
                    return Poll::Ready(Ok(dress(response, &ending, this.manager)));
                }
                Project::Refused(refusal) => {
                    let Some(refusal) = refusal.take() else { return Poll::Pending };
                    return Poll::Ready(Ok(refuse(refusal, this.reply)));
                }
            };
            this.state.set(next);
        }
    }
}

fn refuse<B>(refusal: Refusal, reply: &impl Reply<B>) -> Response<B> {
    let mut response = reply.reply(&refusal);
    response.extensions_mut().insert(Arc::new(refusal));
    response
}

fn dress<B>(mut response: Response<B>, ending: &Ending, manager: &Manager) -> Response<B> {
    manager.dress(&mut Headers(response.headers_mut()), ending);
    response
}

impl<S, R, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
