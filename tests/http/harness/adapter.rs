//! What every adapter looks like to the suite.

use std::{pin::Pin, sync::Arc};

use cloakroom::manager::SessionConfig;
use http::{Request, Response};

use super::{AnyStore, actix_app, axum_app, tower_app};

/// Who translates between HTTP and sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// A bare `tower::Service`.
    Tower,
    /// A router of axum 0.8, with its extractors.
    Axum,
    /// An app of actix-web 4, with its extractors.
    Actix,
}

/// A request on its way. Dropping it is what a server does when its client has gone.
pub(crate) type Call = Pin<Box<dyn Future<Output = Response<Vec<u8>>> + Send>>;

/// The application behind one adapter: `POST /do` runs the steps in the body (see
/// [`script`](super::script)), and `POST /static` does so without ever touching the session.
#[derive(Clone)]
pub(crate) struct App(Arc<dyn Fn(Request<Vec<u8>>) -> Call + Send + Sync>);

impl App {
    pub(crate) fn new(call: impl Fn(Request<Vec<u8>>) -> Call + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self, request: Request<Vec<u8>>) -> Call {
        (self.0)(request)
    }
}

impl Adapter {
    pub(crate) const ALL: [Self; 3] = [Self::Tower, Self::Axum, Self::Actix];

    pub(crate) fn app(self, store: AnyStore, config: SessionConfig) -> App {
        match self {
            Self::Tower => tower_app::app(store, config),
            Self::Axum => axum_app::app(store, config),
            Self::Actix => actix_app::app(store, config),
        }
    }
}
