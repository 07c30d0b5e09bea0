//! Whether the queue is of the namespace that there is.

use super::AuditQueue;
use crate::error::{Error, ErrorKind};

impl AuditQueue {
    /// The namespace whose entries these are, as the rows' column `namespace` tells it.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How many shards this queue works on.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// How many shards the namespace was set up with; `None` where no store has used it yet. It writes
    /// nothing, so a name that was mistyped makes no namespace.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when Redis does not answer in time.
    pub async fn recorded_shards(&self) -> Result<Option<u16>, Error> {
        self.connection.query(redis::cmd("HGET").arg(&*self.meta).arg("shards")).await
    }

    /// Checks that the namespace exists and has as many shards as this queue.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Mismatch`] where it does not exist or has another number; [`ErrorKind::Unavailable`] when
    /// Redis does not answer in time.
    pub async fn check_namespace(&self) -> Result<(), Error> {
        let (namespace, configured) = (&self.namespace, self.shards.len());
        let message = match self.recorded_shards().await? {
            Some(recorded) if usize::from(recorded) == configured => return Ok(()),
            Some(recorded) => {
                format!(
                    "the namespace {namespace:?} has {recorded} shards, and {configured} are configured here"
                )
            }
            None => format!("there is no namespace {namespace:?} in this Redis: no store has used it yet"),
        };
        Err(Error::msg(ErrorKind::Mismatch, message))
    }
}
