//! The audit trail: how it gets into PostgreSQL, and what becomes of the commits while it cannot.

mod outage;
mod queue;
mod recovery;

use crate::raw::Raw;

pub(super) fn section(raw: &Raw) -> Option<String> {
    let parts: Vec<String> =
        [queue::part(raw), outage::part(raw), recovery::part(raw)].into_iter().flatten().collect();
    if parts.is_empty() {
        return None;
    }
    let about = "<p class=about>The entry is written by the script that makes the change, and waits in Redis until a \
        writer has brought it into PostgreSQL, which does not sync to disk here.</p>";
    Some(format!("{about}{}", parts.concat()))
}
