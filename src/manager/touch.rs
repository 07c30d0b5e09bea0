//! Which requests keep a session alive.

use std::{fmt, sync::Arc};

use crate::store::Touch;

type Decide = dyn Fn(&str, &str) -> Touch + Send + Sync;

/// Decided before the load, which is what restarts the idle timeout.
#[derive(Clone)]
pub(super) enum TouchPolicy {
    Always(Touch),
    /// By method and path.
    By(Arc<Decide>),
}

impl TouchPolicy {
    pub(super) fn of(&self, method: &str, path: &str) -> Touch {
        match self {
            Self::Always(touch) => *touch,
            Self::By(decide) => decide(method, path),
        }
    }
}

impl Default for TouchPolicy {
    fn default() -> Self {
        Self::Always(Touch::default())
    }
}

impl fmt::Debug for TouchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(touch) => fmt::Debug::fmt(touch, f),
            Self::By(_) => f.write_str("By(…)"),
        }
    }
}
