//! The store itself, against a bare `GET` of as many bytes.

use report::statistics::quantile;
use serde_json::Value;

use super::{
    plot::{Plot, Row},
    short,
    table::{self, table},
};
use crate::raw::{Raw, number};

pub(super) fn section(raw: &Raw) -> Option<String> {
    let all: Vec<&Value> = raw.of("store", "operation").collect();
    all.first()?;
    let mut html = "<p class=about>Load and commit, as the layer asks them of the store, in turn with a \
        <code>GET</code> of as many bytes on the same kind of connection. A floor is what the same commands, and the \
        least script that checks as much, take with nothing of ours around them.</p>"
        .to_owned();
    let rows =
        all.iter().filter(|row| row["place"] == "plain" && row["tasks"] == 1 && row["operation"] != "GET");
    let rows = rows.map(|row| {
        let ratios: Vec<f64> =
            row["ratios"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let operation = row["operation"].as_str().unwrap_or_default();
        Row {
            label: format!("{operation}, {}", bytes(row)),
            value: number(row, "ratio"),
            spread: (quantile(&ratios, 0.25), quantile(&ratios, 0.75)),
            ours: is_ours(operation),
            goal: match operation {
                "load" => Some(1.2),
                "commit, all" => Some(1.6),
                _ => None,
            },
        }
    });
    let about = "p50 as a ratio to GET, one task at a time. To the left is better.";
    html += &Plot { title: "One Redis", about, end: 4.0, rows: rows.collect() }.draw();
    let heads =
        ["", "bytes", "tasks", "ratio", "p50 µs", "p99 µs", "a second", "Redis CPU µs", "client CPU µs"];
    let mut places: Vec<&str> = all.iter().filter_map(|row| row["place"].as_str()).collect();
    places.dedup();
    for place in places {
        let rows: Vec<table::Row> = all
            .iter()
            .filter(|row| row["place"] == place)
            .map(|row| {
                let figures = ["ratio", "p50_us", "p99_us", "per_second", "redis_cpu_us", "client_cpu_us"];
                let operation = row["operation"].as_str().unwrap_or_default();
                let mut cells = vec![operation.to_owned(), bytes(row), row["tasks"].to_string()];
                cells.extend(figures.map(|figure| short(number(row, figure))));
                table::Row { cells, ours: is_ours(operation) }
            })
            .collect();
        html += &format!("<details><summary>All of {place}</summary>{}</details>", table(&heads, &rows));
    }
    Some(html)
}

fn is_ours(operation: &str) -> bool {
    !operation.starts_with("GET") && !operation.ends_with("floor")
}

fn bytes(row: &Value) -> String {
    match row["bytes"].as_u64().unwrap_or_default() {
        bytes if bytes >= 1024 => format!("{} KB", bytes / 1024),
        bytes => format!("{bytes} B"),
    }
}
