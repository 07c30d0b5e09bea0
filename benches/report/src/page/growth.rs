//! Few sessions and many, and the queue behind them.

use serde_json::Value;

use super::{
    plot::{Plot, Row},
    short,
    table::{self, table},
    thousands,
};
use crate::raw::{Raw, number};

pub(super) fn section(raw: &Raw) -> Option<String> {
    let all: Vec<&Value> = raw.of("growth", "sessions").collect();
    all.first()?;
    let mut rows = Vec::new();
    for operation in ["load", "commit"] {
        for row in &all {
            let value = number(row, &format!("{operation}_us")) / number(row, "get_us");
            let sessions = thousands(number(row, "sessions"));
            let label = format!("{operation}, {sessions}");
            rows.push(Row { label, value, spread: (value, value), ours: true, goal: None });
        }
    }
    let about = "p50 as a ratio to GET in the same rounds. The same for a thousand and for millions is good.";
    let mut html = Plot { title: "Live sessions", about, end: 3.0, rows }.draw();
    let heads = [
        "sessions",
        "bytes each",
        "GET µs",
        "load µs",
        "p99",
        "commit µs",
        "p99",
        "Redis CPU: GET",
        "load",
        "commit",
    ];
    let figures = [
        "bytes",
        "get_us",
        "load_us",
        "load_p99_us",
        "commit_us",
        "commit_p99_us",
        "get_cpu_us",
        "load_cpu_us",
        "commit_cpu_us",
    ];
    let rows: Vec<table::Row> = all
        .iter()
        .map(|row| {
            let mut cells = vec![thousands(number(row, "sessions"))];
            cells.extend(figures.map(|figure| short(number(row, figure))));
            table::Row { cells, ours: false }
        })
        .collect();
    html += &table(&heads, &rows);
    for (what, text) in [
        ("packed", "of Redis' memory for a session, with <code>hash-max-listpack-value 1024</code>"),
        ("queued", "for an audit entry of a small change, while it waits for PostgreSQL"),
    ] {
        if let Some(row) = raw.of("growth", what).next() {
            html += &format!("<p class=about>{} bytes {text}.</p>", short(number(row, "bytes")));
        }
    }
    html += &users(raw);
    Some(html)
}

/// One user with many sessions, and sweeps that find as many.
fn users(raw: &Raw) -> String {
    let rows: Vec<table::Row> = raw
        .of("growth", "users")
        .map(|row| {
            let sessions = number(row, "sessions");
            let mut cells = vec![thousands(sessions)];
            cells.extend(
                ["sign_in_us", "load_us", "commit_us", "idle_sweep_us"]
                    .map(|figure| short(number(row, figure))),
            );
            cells.extend(
                ["list_us", "end_all_us", "sweep_us"].map(|figure| short(number(row, figure) / sessions)),
            );
            table::Row { cells, ours: false }
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        "sessions of one user",
        "sign-in µs",
        "load µs",
        "commit µs",
        "sweep that finds nothing µs",
        "list, µs a session",
        "end all, µs a session",
        "sweep of so many, µs an end",
    ];
    table(&heads, &rows)
}
