//! Reading all that waits, without taking any of it.

use super::{AuditQueue, Waiting};
use crate::{error::Error, id::Shard};

/// How many entries are read at a time.
const PAGE: usize = 500;

impl AuditQueue {
    /// Tells every entry that waits, then every dead letter. What is added meanwhile may be left out.
    pub(in crate::audit) async fn browse(&self, mut tell: impl FnMut(Shard, &Waiting)) -> Result<(), Error> {
        for keys in self.shards.iter() {
            // Entries go from the first to the second: in this order none is missed on its way.
            for stream in [&keys.stream, &keys.dead] {
                let mut from = "-".to_owned();
                loop {
                    let mut range = redis::cmd("XRANGE");
                    range.arg(stream).arg(&from).arg("+").arg("COUNT").arg(PAGE);
                    let page: Vec<Waiting> = self.connection.query(&range).await?;
                    page.iter().for_each(|entry| tell(keys.shard, entry));
                    match page.last() {
                        Some(last) if page.len() == PAGE => from = format!("({}", last.id),
                        _ => break,
                    }
                }
            }
        }
        Ok(())
    }
}
