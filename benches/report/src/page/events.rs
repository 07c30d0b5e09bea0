//! From a change to whoever watches.

use super::{
    short,
    table::{Row, table},
};
use crate::raw::Raw;

pub(super) fn section(raw: &Raw) -> Option<String> {
    let mut rows = Vec::new();
    for line in raw.of("events", "latency") {
        let of = |figure: &str| short(line[figure].as_f64().unwrap_or(f64::NAN));
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let ours = text("line") == "received";
        let cells = vec![text("place"), text("line"), of("ratio"), of("p50_us"), of("p99_us")];
        rows.push(Row { cells, ours });
    }
    if rows.is_empty() {
        return None;
    }
    let about = "<p class=about><code>received</code> is the time from the moment a commit is sent until a subscriber \
        has its event; <code>PUBLISH</code> the same of a bare message, which is the limit.</p>";
    Some(format!("{about}{}", table(&["", "", "ratio to GET", "p50, µs", "p99, µs"], &rows)))
}
