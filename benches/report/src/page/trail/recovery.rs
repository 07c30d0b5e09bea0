//! Back from PostgreSQL into an empty Redis.

use serde_json::Value;

use super::super::{
    table::{self, table},
    thousands,
};
use crate::raw::{Raw, number};

pub(super) fn part(raw: &Raw) -> Option<String> {
    let short =
        raw.of("recovery", "recovered").map(|row| line(row, number(row, "rows") * number(row, "sessions")));
    let long = raw.of("recovery", "long").map(|row| line(row, number(row, "rows_read")));
    let rows: Vec<table::Row> = short.chain(long).collect();
    if rows.is_empty() {
        return None;
    }
    let about = "<p class=about>Sessions put back from their trail, whose rows are read in order; of a long session only \
        what is younger than its snapshot. A dry run reads and writes nothing back.</p>";
    let table = table(&["", "sessions", "rows read", "sessions/s"], &rows);
    Some(format!("<h3>Recovery</h3>{about}{table}"))
}

fn line(row: &Value, read: f64) -> table::Row {
    let how = row["how"].as_str().unwrap_or_default().to_owned();
    let cells =
        vec![how, thousands(number(row, "sessions")), thousands(read), thousands(number(row, "per_second"))];
    table::Row { cells, ours: false }
}
