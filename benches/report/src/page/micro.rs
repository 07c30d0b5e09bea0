//! Nanoseconds, by criterion.

use super::{
    short,
    table::{Row, table},
};
use crate::raw::Raw;

pub(super) fn section(raw: &Raw) -> Option<String> {
    let mut rows = Vec::new();
    for line in raw.of("micro", "function") {
        let of = |figure: &str| line[figure].as_f64().unwrap_or(f64::NAN);
        let name = line["name"].as_str().unwrap_or_default().to_owned();
        let ours = name == "layer/no cookie" || name == "layer/lazy, never asked";
        let spread = format!("{} – {}", short(of("low")), short(of("high")));
        rows.push(Row { cells: vec![name, short(of("ns")), spread], ours });
    }
    if rows.is_empty() {
        return None;
    }
    let about = "<p class=about>What a request costs in this process. <code>layer/…</code> is a whole request; \
        <code>layer/without</code> the same without us. The goal for the two that are marked is 300 ns more than \
        that.</p>";
    Some(format!("{about}{}", table(&["", "median, ns", "95 % confidence"], &rows)))
}
