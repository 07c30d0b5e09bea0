//! Where the figures come from, and how to get them again.

use serde_json::Value;

use super::{
    escape,
    table::{Row, table},
};
use crate::raw::Raw;

const COMMANDS: &str = "\
cargo run --release --manifest-path benches/peers/Cargo.toml    # beside other libraries
taskset -c 0 cargo bench --bench store                          # load and commit
GROWTH_SESSIONS=10000,1000000,5000000 cargo bench --bench growth
taskset -c 0 cargo bench --bench micro
cargo bench --bench drain                                       # the trail into PostgreSQL
cargo bench --bench bullmq                                      # the same through BullMQ
cargo bench --bench outage                                      # commits while PostgreSQL is away
cargo run -p report                                             # this page";

pub(super) fn section(raw: &Raw) -> Option<String> {
    let mut rows = Vec::new();
    for bench in ["peers", "store", "growth", "drain", "bullmq", "outage"] {
        for run in raw.of(bench, "run") {
            let text = |name: &str| match &run[name] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            let machine =
                format!("{} × {}, {}, {}", text("cores"), text("cpu"), text("memory"), text("kernel"));
            let mut cells = vec![bench.to_owned(), text("at"), text("commit"), text("command"), machine];
            cells.extend([text("rustc"), text("redis"), text("load")]);
            rows.push(Row { cells, ours: false });
        }
    }
    let heads = ["", "at", "commit", "settings", "machine", "compiler", "Redis", "load before"];
    let skipped: String = raw
        .of("peers", "skipped")
        .map(|row| {
            let of = |name: &str| escape(row[name].as_str().unwrap_or_default());
            format!("<p class=about>Not measured: {}, since {}.</p>", of("peer"), of("why"))
        })
        .collect();
    Some(format!("{}{skipped}<h3>Again</h3><pre>{}</pre>", table(&heads, &rows), escape(COMMANDS)))
}
