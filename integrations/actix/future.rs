use std::{
    fmt,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
};
use pin_project::pin_project;

use super::{Reply, headers::Headers, refused::Refused, reply::refuse};
use crate::{
    manager::{Ending, Manager, Refusal, Turn},
    session::Session,
};

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What the inner service came to.
type Outcome<B> = Result<ServiceResponse<B>, Error>;

/// What [`SessionService`](super::SessionService) answers with. Dropping it before it is done leaves
/// all of a commit or none.
#[pin_project]
pub struct ResponseFuture<S, R, B>
where
    S: Service<ServiceRequest>,
{
    #[pin]
    state: State<S, B>,
    manager: Manager,
    reply: Rc<R>,
    turn: Turn,
}

/// A request without a cookie goes straight to `Calling` and, if it writes nothing, is never boxed.
#[pin_project(project = Project)]
enum State<S, B>
where
    S: Service<ServiceRequest>,
{
    Loading {
        load: Boxed<Result<(), crate::error::Error>>,
        next: Option<(Rc<S>, ServiceRequest)>,
    },
    Calling {
        #[pin]
        call: S::Future,
    },
    Committing {
        commit: Boxed<Ending>,
        outcome: Option<Outcome<B>>,
    },
    Refused(Option<(ServiceRequest, Refusal)>),
}

impl<S, R, B> ResponseFuture<S, R, B>
where
    S: Service<ServiceRequest>,
{
    pub(super) fn loading(
        inner: Rc<S>,
        request: ServiceRequest,
        session: Session,
        manager: Manager,
        reply: Rc<R>,
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

    pub(super) fn calling(call: S::Future, session: Session, manager: Manager, reply: Rc<R>) -> Self {
        Self { state: State::Calling { call }, manager, reply, turn: Turn::of(session) }
    }

    pub(super) fn refused(request: ServiceRequest, refusal: Refusal, manager: Manager, reply: Rc<R>) -> Self {
        let state = State::Refused(Some((request, refusal)));
        Self { state, manager, reply, turn: Turn::refused() }
    }
}

impl<S, R, B> Future for ResponseFuture<S, R, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    R: Reply + 'static,
    B: MessageBody,
{
    type Output = Outcome<EitherBody<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Project::Loading { load, next } => {
                    let loaded = ready!(load.as_mut().poll(cx));
                    let Some((inner, request)) = next.take() else { return Poll::Pending };
                    match loaded {
                        Ok(()) => State::Calling { call: inner.call(request) },
                        Err(error) => State::Refused(Some((request, this.manager.load_failed(error)))),
                    }
                }
                Project::Calling { call } => {
                    let outcome = ready!(call.poll(cx));
                    let status = status(&outcome);
                    if let Some(ending) = this.turn.finish_at_once(this.manager, status) {
                        return Poll::Ready(dress(outcome.map(left), ending, this.manager));
                    }
                    let Some(session) = this.turn.session().cloned() else { return Poll::Pending };
                    let manager = this.manager.clone();
                    let commit = Box::pin(async move { manager.finish(&session, status).await });
                    State::Committing { commit, outcome: Some(outcome) }
                }
                Project::Committing { commit, outcome } => {
                    let mut ending = ready!(commit.as_mut().poll(cx));
                    let Some(outcome) = outcome.take() else { return Poll::Pending };
                    let outcome = match ending.refusal.take() {
                        Some(refusal) => replace(outcome, Arc::new(refusal), this.reply),
                        None => outcome.map(left),
                    };
                    return Poll::Ready(dress(outcome, ending, this.manager));
                }
                Project::Refused(refused) => {
                    let Some((request, refusal)) = refused.take() else { return Poll::Pending };
                    let response = refuse(Arc::new(refusal), &**this.reply);
                    return Poll::Ready(Ok(request.into_response(response).map_into_right_body()));
                }
            };
            this.state.set(next);
        }
    }
}

/// An error's own response is not asked: making it may use it up, as `InternalError`'s does.
fn status<B>(outcome: &Outcome<B>) -> u16 {
    let status = match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    status.as_u16()
}

fn left<B>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    response.map_into_left_body()
}

/// Answers the refusal instead.
fn replace<B, R: Reply + 'static>(
    outcome: Outcome<B>,
    refusal: Arc<Refusal>,
    reply: &Rc<R>,
) -> Outcome<EitherBody<B>> {
    match outcome {
        Ok(response) => {
            let refused = refuse(refusal, &**reply);
            Ok(response.into_response(refused).map_into_right_body())
        }
        Err(_) => Err(Refused { refusal, reply: Rc::clone(reply) }.into()),
    }
}

/// Adds the cookie and the caching headers, to an error as soon as it becomes a response.
fn dress<B>(outcome: Outcome<B>, ending: Ending, manager: &Manager) -> Outcome<B> {
    match outcome {
        Ok(mut response) => {
            manager.dress(&mut Headers(response.headers_mut()), &ending);
            Ok(response)
        }
        Err(mut error) => {
            let manager = manager.clone();
            error.add_response_mapper(move |mut response| {
                manager.dress(&mut Headers(response.headers_mut()), &ending);
                response
            });
            Err(error)
        }
    }
}

impl<S, R, B> fmt::Debug for ResponseFuture<S, R, B>
where
    S: Service<ServiceRequest>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
