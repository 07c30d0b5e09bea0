//! Commits while PostgreSQL is away.

use report::statistics::{median, quantile};
use serde_json::Value;

use super::super::{
    plot::{Plot, Row},
    short,
    table::{self, table},
    thousands,
};
use crate::raw::{Raw, number};

/// What all others are compared with.
const UP: &str = "up";
/// The same once more: the noise.
const AGAIN: &str = "up again";
const NO_WRITER: &str = "no writer";
const STATES: [&str; 5] = [UP, AGAIN, "stopped", "hung", NO_WRITER];

pub(super) fn part(raw: &Raw) -> Option<String> {
    let windows = Windows(raw.of("outage", "window").collect());
    let first = windows.0.first()?;
    let about = format!(
        "<h3>While PostgreSQL is away</h3><p class=about>{} commits a second, with PostgreSQL up, killed (connections \
         are refused) and hung (nobody answers), and with no writer at all. A commit does not wait for PostgreSQL; \
         while that is up, it takes its share of the cores.</p>",
        thousands(number(first, "rate")),
    );
    Some(about + &windows.plot() + &windows.table())
}

struct Windows<'a>(Vec<&'a Value>);

impl Windows<'_> {
    fn of(&self, state: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |window| window["state"] == state).copied()
    }

    fn median(&self, state: &str, figure: &str) -> f64 {
        median(&self.of(state).map(|window| number(window, figure)).collect::<Vec<_>>())
    }

    /// To another state in the same round.
    fn ratios(&self, state: &str, base: &str, figure: &str) -> Vec<f64> {
        self.of(state)
            .filter_map(|window| {
                let base = self.of(base).find(|base| base["round"] == window["round"])?;
                Some(number(window, figure) / number(base, figure))
            })
            .collect()
    }

    /// Bytes of Redis' memory for each commit that waits, where they do wait.
    fn waiting(&self, state: &str) -> f64 {
        let all = self.of(state).filter(|window| number(window, "waiting") * 2.0 > number(window, "commits"));
        let each: Vec<f64> = all.map(|window| number(window, "grown") / number(window, "waiting")).collect();
        median(&each)
    }

    fn plot(&self) -> String {
        let mut rows = Vec::new();
        for (percentile, figure) in [("p50", "p50_us"), ("p99", "p99_us")] {
            for state in STATES.into_iter().filter(|state| *state != UP) {
                let ratios = self.ratios(state, UP, figure);
                if !ratios.is_empty() {
                    rows.push(Row {
                        label: format!("{state}, {percentile}"),
                        value: median(&ratios),
                        spread: (quantile(&ratios, 0.25), quantile(&ratios, 0.75)),
                        ours: state != AGAIN,
                        goal: None,
                    });
                }
            }
        }
        let about = "as a ratio to the same with PostgreSQL up, in the same round. To the left is better.";
        Plot { title: "Latency of a commit", about, end: 2.0, rows }.draw()
    }

    fn table(&self) -> String {
        let heads = [
            "PostgreSQL",
            "p50, µs",
            "p99, µs",
            "p50 × up",
            "p99 × up",
            "p50 × no writer",
            "p99 × no writer",
            "bytes of a waiting commit",
        ];
        let rows: Vec<table::Row> = STATES
            .into_iter()
            .filter(|state| self.of(state).next().is_some())
            .map(|state| {
                let ratio = |base, figure| short(median(&self.ratios(state, base, figure)));
                let cells = vec![
                    state.to_owned(),
                    short(self.median(state, "p50_us")),
                    short(self.median(state, "p99_us")),
                    ratio(UP, "p50_us"),
                    ratio(UP, "p99_us"),
                    ratio(NO_WRITER, "p50_us"),
                    ratio(NO_WRITER, "p99_us"),
                    short(self.waiting(state)),
                ];
                table::Row { cells, ours: false }
            })
            .collect();
        table(&heads, &rows)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ratios_are_of_the_same_round_and_only_what_waits_has_a_size() {
        let mut lines = String::new();
        for (round, up, stopped) in [(0, 100, 50), (1, 400, 100), (2, 200, 120)] {
            for (state, p50, waiting) in [("up", up, 1), ("stopped", stopped, 100)] {
                let window = json!({
                    "bench": "outage", "what": "window", "state": state, "round": round, "p50_us": p50, "p99_us": 500,
                    "commits": 100, "waiting": waiting, "grown": 36_600, "rate": 1000,
                });
                lines += &format!("{window}\n");
            }
        }
        let html = part(&Raw::of_lines(&lines)).unwrap();
        assert!(html.contains("<td>up<td>200<td>500<td>1.00<td>1.00<td>–<td>–<td>–"), "{html}");
        assert!(html.contains("<td>stopped<td>100<td>500<td>0.50<td>1.00<td>–<td>–<td>366"), "{html}");
    }
}
