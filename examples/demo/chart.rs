//! The times as a drawing, made here: no script, no library, and readable without either.

use std::{collections::VecDeque, time::Duration};

use crate::timings::{Kept, median};

/// From 20 µs to 50 ms. Each decade has the same width, or one slow request would squeeze all others.
const LEAST: f64 = 0.02;
const MOST: f64 = 50.0;

pub(crate) fn latency(kept: &Kept, remote: bool) -> String {
    let get = median(&kept.get);
    let rows: String =
        [("get", "Bare GET", &kept.get), ("load", "Load", &kept.load), ("commit", "Commit", &kept.commit)]
            .into_iter()
            .filter(|(name, ..)| remote || *name != "get")
            .map(|(name, label, spans)| row(name, label, spans, get))
            .collect();
    let axis: String = [0.1, 1.0, 10.0]
        .iter()
        .map(|millis| format!("<text x=\"{:.1}%\" y=\"12\">{millis} ms</text>", place(*millis)))
        .collect();
    let about = if remote {
        "Each dot is one call as a request of anybody made it; the bar is the median. A <code>GET</code> of \
         one key, on a connection of its own, is the least that any look into Redis costs."
    } else {
        "Each dot is one call as a request of anybody made it; the bar is the median. The embedded store is in \
         this process, so there is no network to compare with."
    };
    let build = if cfg!(debug_assertions) {
        " This is a debug build: measure with <code>--release</code>."
    } else {
        ""
    };
    format!(
        "<p class=\"soft\">{about}{build}</p>\n<div class=\"chart\">{rows}\
         <div class=\"row\"><span></span><svg class=\"axis\" width=\"100%\" height=\"16\" aria-hidden=\"true\">{axis}</svg><span></span></div></div>"
    )
}

fn row(name: &str, label: &str, spans: &VecDeque<Duration>, get: Option<Duration>) -> String {
    let dots: String = spans
        .iter()
        .enumerate()
        // Up and down by its number, so that equal times don't hide one another.
        .map(|(n, span)| {
            format!("<circle cx=\"{:.1}%\" cy=\"{}\" r=\"3\"/>", place(millis(*span)), 8 + n * 7 % 17)
        })
        .collect();
    let grid: String = [0.1, 1.0, 10.0]
        .iter()
        .map(|at| {
            format!("<line class=\"grid\" x1=\"{0:.1}%\" x2=\"{0:.1}%\" y1=\"0\" y2=\"32\"/>", place(*at))
        })
        .collect();
    let (mark, told) = match median(spans) {
        None => (String::new(), "no call yet".to_owned()),
        Some(median) => {
            let x = place(millis(median));
            let mark = format!("<line class=\"median\" x1=\"{x:.1}%\" x2=\"{x:.1}%\" y1=\"3\" y2=\"29\"/>");
            let ratio = get
                .filter(|get| name != "get" && !get.is_zero())
                .map(|get| format!(" <small>{:.1} × GET</small>", median.as_secs_f64() / get.as_secs_f64()));
            (mark, format!("{:.2} ms{}", millis(median), ratio.unwrap_or_default()))
        }
    };
    format!(
        "<div class=\"row\"><span class=\"what\">{label}</span>\
         <svg class=\"{name}\" width=\"100%\" height=\"32\" role=\"img\" aria-label=\"{label}: {} calls\">\
         {grid}{dots}{mark}</svg><span class=\"median\">{told}</span></div>\n",
        spans.len()
    )
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// In percent of the width, so that the drawing fits a phone without being scaled.
fn place(millis: f64) -> f64 {
    2.0 + 96.0 * (millis.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln()
}
