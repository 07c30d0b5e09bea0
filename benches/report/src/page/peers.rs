//! The comparison over HTTP.

use report::statistics::{median, quantile};
use serde_json::Value;

use super::{
    plot::{Plot, Row},
    short,
    table::{self, table},
};
use crate::raw::Raw;

/// What is compared with, and its second measurement in each round.
const RAW: &str = "raw";
const AGAIN: &str = "raw-again";

pub(super) fn section(raw: &Raw) -> Option<String> {
    let rows: Vec<&Value> = raw.of("peers", "http").collect();
    rows.first()?;
    let http = Http { rows };
    let names: Vec<(&str, &str)> = raw
        .of("peers", "peer")
        .filter_map(|peer| Some((peer["peer"].as_str()?, peer["about"].as_str()?)))
        .collect();
    let mut html = "<p class=about>The same routes by each library, each server a process of its own, Redis on the \
        same machine. <code>raw</code> is axum with one hand-written <code>GET</code>, or <code>GET</code> and \
        <code>SET</code>: no check, no refresh, no trail. A bar is the middle half of the rounds; a green mark is our \
        goal; <code>raw-again</code>, the same server measured twice, is the noise.</p>"
        .to_owned();
    for (connections, route, title, about, end, goal) in [
        (
            1,
            "read",
            "Latency of a read",
            "p50, one connection, on one core. To the left is better.",
            3.0,
            1.10,
        ),
        (
            1,
            "write",
            "Latency of a write",
            "p50, one connection, on one core. To the left is better.",
            3.0,
            1.25,
        ),
        (64, "read", "Reads a second", "64 connections. To the right is better.", 2.5, 0.95),
        (64, "write", "Writes a second", "64 connections. To the right is better.", 2.5, 0.75),
    ] {
        let labels = names.iter().map(|(name, _)| *name).chain([AGAIN]).filter(|name| *name != RAW);
        let rows = labels.filter_map(|name| {
            let ratios = http.ratios(name, route, connections);
            let ours = name.starts_with("ours");
            (!ratios.is_empty()).then(|| Row {
                label: name.to_owned(),
                value: median(&ratios),
                spread: (quantile(&ratios, 0.25), quantile(&ratios, 0.75)),
                ours,
                goal: ours.then_some(goal),
            })
        });
        html += &Plot { title, about, end, rows: rows.collect() }.draw();
    }
    html += &increments(raw, &names);
    html += &costs(&http, &names);
    Some(html)
}

struct Http<'a> {
    rows: Vec<&'a Value>,
}

impl Http<'_> {
    fn all(&self, peer: &str, route: &str, connections: u64) -> impl Iterator<Item = &Value> {
        let wanted = move |row: &&&Value| {
            row["peer"] == peer && row["route"] == route && row["connections"] == connections
        };
        self.rows.iter().filter(wanted).copied()
    }

    /// To the server by hand, round by round: the latency of one connection, the throughput of many.
    fn ratios(&self, peer: &str, route: &str, connections: u64) -> Vec<f64> {
        let figure = if connections == 1 { "p50_us" } else { "per_second" };
        let ratio = |row: &Value| {
            let raw = self.all(RAW, route, connections).find(|raw| raw["round"] == row["round"])?;
            Some(row[figure].as_f64()? / raw[figure].as_f64()?)
        };
        self.all(peer, route, connections).filter_map(ratio).collect()
    }

    fn median(&self, peer: &str, route: &str, connections: u64, figure: &str) -> f64 {
        let values: Vec<f64> =
            self.all(peer, route, connections).filter_map(|row| row[figure].as_f64()).collect();
        median(&values)
    }
}

/// The main table in Markdown, and a plot as a file of its own: for the README.
pub(super) fn readme(raw: &Raw) -> Option<(String, String)> {
    let http = Http { rows: raw.of("peers", "http").collect() };
    http.rows.first()?;
    let mut names: Vec<&str> = raw.of("peers", "peer").filter_map(|peer| peer["peer"].as_str()).collect();
    names.push(AGAIN);
    let mut text =
        "| | read, p50 | write, p50 | reads/s | writes/s | of 200 increments, one instance | two |\n\
                    |---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut rows = Vec::new();
    for name in names.into_iter().filter(|name| *name != RAW) {
        let figure = |route, connections| median(&http.ratios(name, route, connections));
        let [read, write] = ["read", "write"].map(|route| figure(route, 1));
        let [reads, writes] = ["read", "write"].map(|route| figure(route, 64));
        let left = |instances| {
            let tries = counted(raw, name, instances);
            if tries.is_empty() { "–".to_owned() } else { short(2.0 * median(&tries)) }
        };
        let bold = if name.starts_with("ours") { "**" } else { "" };
        text += &format!(
            "| {bold}{name}{bold} | {} | {} | {} | {} | {} | {} |\n",
            short(read),
            short(write),
            short(reads),
            short(writes),
            left(1),
            left(2)
        );
        for (route, value) in [("read", reads), ("write", writes)] {
            let ratios = http.ratios(name, route, 64);
            rows.push(Row {
                label: format!("{name}, {route}"),
                value,
                spread: (quantile(&ratios, 0.25), quantile(&ratios, 0.75)),
                ours: name.starts_with("ours"),
                goal: None,
            });
        }
    }
    let plot = Plot {
        title: "Requests a second",
        about: "64 connections, as a ratio to axum with one hand-written GET, or GET and SET.",
        end: 1.5,
        rows,
    };
    Some((text, plot.standalone()))
}

/// The share of the increments that are still there, in percent: of each try.
fn counted(raw: &Raw, name: &str, instances: u64) -> Vec<f64> {
    let tries = raw.of("peers", "increments");
    let tries = tries.filter(|row| row["peer"] == name && row["instances"] == instances);
    tries.filter_map(|row| Some(100.0 * row["counted"].as_f64()? / row["sent"].as_f64()?)).collect()
}

/// How many of 200 increments are still there: the median of the tries.
fn increments(raw: &Raw, names: &[(&str, &str)]) -> String {
    let mut rows = Vec::new();
    for (name, _) in names {
        for (instances, what) in [(1, "one"), (2, "two")] {
            let tries = counted(raw, name, instances);
            if !tries.is_empty() {
                rows.push(Row {
                    label: format!("{name}, {what}"),
                    value: median(&tries) / 100.0,
                    spread: (quantile(&tries, 0.0) / 100.0, quantile(&tries, 1.0) / 100.0),
                    ours: name.starts_with("ours"),
                    goal: name.starts_with("ours").then_some(1.0),
                });
            }
        }
    }
    let about = "The share of 200 increments of one session, sent at once to one instance or to two, that is still \
        there afterwards. 1 is all of them.";
    Plot { title: "Updates that survive", about, end: 1.0, rows }.draw()
}

fn costs(http: &Http<'_>, names: &[(&str, &str)]) -> String {
    let heads = [
        "",
        "read p50 µs",
        "p99",
        "write p50 µs",
        "p99",
        "reads/s, 64",
        "writes/s, 64",
        "round trips r/w",
        "commands r/w",
        "server CPU µs r/w",
        "Redis CPU µs r/w",
    ];
    let rows: Vec<table::Row> = names
        .iter()
        .filter(|(name, _)| http.all(name, "read", 1).next().is_some())
        .map(|(name, _)| {
            let of = |route, connections, figure| short(http.median(name, route, connections, figure));
            let both = |connections, figure| {
                let [read, write] =
                    ["read", "write"].map(|route| http.median(name, route, connections, figure));
                format!("{read:.1} / {write:.1}")
            };
            let cells = vec![
                (*name).to_owned(),
                of("read", 1, "p50_us"),
                of("read", 1, "p99_us"),
                of("write", 1, "p50_us"),
                of("write", 1, "p99_us"),
                of("read", 64, "per_second"),
                of("write", 64, "per_second"),
                both(1, "redis_reads"),
                both(1, "commands"),
                both(64, "server_cpu_us"),
                both(64, "redis_cpu_us"),
            ];
            table::Row { cells, ours: name.starts_with("ours") }
        })
        .collect();
    let legend: String =
        names.iter().map(|(name, about)| format!("<li><b>{name}</b>: {}", super::escape(about))).collect();
    format!(
        "<h3>Costs of a request</h3>{}<p class=about>Commands are those that Redis ran, inside of scripts, too. CPU at \
         64 connections.</p><ul class=about>{legend}</ul>",
        table(&heads, &rows)
    )
}
