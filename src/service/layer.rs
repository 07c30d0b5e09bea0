use tower::Layer;

use super::{EmptyBody, SessionService};
use crate::{
    manager::{Manager, SessionConfig},
    store::SessionStore,
};

/// Gives every request a session. See the [module](super).
#[derive(Clone, Debug)]
pub struct SessionLayer<R = EmptyBody> {
    manager: Manager,
    reply: R,
}

impl SessionLayer {
    /// Sessions in `store`, with the safe defaults.
    pub fn new(store: impl SessionStore) -> Self {
        Self::with_config(store, SessionConfig::default())
    }

    /// Sessions in `store`, with another configuration.
    pub fn with_config(store: impl SessionStore, config: SessionConfig) -> Self {
        Self { manager: Manager::new(store, config), reply: EmptyBody }
    }
}

impl<R> SessionLayer<R> {
    /// How the layer's own answers look. Default: [`EmptyBody`]. A closure from a
    /// [`Refusal`](crate::manager::Refusal) to a response does, too.
    pub fn with_reply<R2>(self, reply: R2) -> SessionLayer<R2> {
        SessionLayer { manager: self.manager, reply }
    }
}

impl<S, R: Clone> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.manager.clone(), self.reply.clone())
    }
}
