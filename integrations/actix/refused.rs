use std::{fmt, rc::Rc, sync::Arc};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};

use super::{Reply, error::status, reply::refuse};
use crate::manager::Refusal;

/// A [`Refusal`] in place of an error: without a response there is no request to answer either.
pub(super) struct Refused<R> {
    pub(super) refusal: Arc<Refusal>,
    pub(super) reply: Rc<R>,
}

impl<R: Reply> ResponseError for Refused<R> {
    fn status_code(&self) -> StatusCode {
        status(self.refusal.status())
    }

    fn error_response(&self) -> HttpResponse {
        refuse(Arc::clone(&self.refusal), &*self.reply)
    }
}

impl<R> fmt::Display for Refused<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl<R> fmt::Debug for Refused<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refused").field(&self.refusal).finish()
    }
}
