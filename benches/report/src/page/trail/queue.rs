//! The same events through BullMQ and through our queue.

use report::statistics::{median, quantile};
use serde_json::Value;

use super::super::{
    plot::{Plot, Row},
    short,
    table::{self, table},
    thousands,
};
use crate::raw::{Raw, number};

const OURS: &str = "ours";
const WAYS: [(&str, &str); 4] = [
    ("one", "BullMQ, an INSERT each"),
    ("buffered", "BullMQ, a worker that buffers"),
    ("manual", "BullMQ, batches by hand"),
    (OURS, "cloakroom"),
];

/// Of an entry, put in and drained; the first is a rate, of the others less is better.
const FIGURES: [&str; 4] = ["entries/s", "bytes waiting", "Redis CPU, µs", "Redis commands"];

pub(super) fn part(raw: &Raw) -> Option<String> {
    let runs = Runs(raw.of("bullmq", "drained").collect());
    let drained = drained(raw);
    if runs.0.is_empty() && drained.is_empty() {
        return None;
    }
    let mut html = String::from("<h3>Through the queue</h3>");
    if let Some(first) = runs.0.first() {
        let versions = first["versions"].as_str().unwrap_or_default();
        html += &format!(
            "<p class=about>{} small changes into the same table, by BullMQ ({}) and by our queue, each with a Redis and \
             a PostgreSQL of its own. Medians over the rounds, with both halves added up: what it took to put an entry \
             in, and to drain it. In brackets how many times as good ours is.</p>",
            thousands(number(first, "events")),
            super::super::escape(versions),
        );
        html += &runs.plot();
        html += &runs.table();
    }
    Some(html + &drained)
}

/// Every try of every way.
struct Runs<'a>(Vec<&'a Value>);

impl Runs<'_> {
    fn of(&self, way: &str, round: u64) -> Vec<&Value> {
        let mut tries: Vec<&Value> =
            self.0.iter().filter(|run| run["way"] == way && run["round"] == round).copied().collect();
        tries.sort_by(|one, other| number(one, "per_second").total_cmp(&number(other, "per_second")));
        tries
    }

    /// A way's figures, round by round. Of several tries in a round the middle one counts, as the benchmark does it.
    fn figures(&self, way: &str) -> Vec<[f64; 4]> {
        let rounds = self.0.iter().filter_map(|run| run["round"].as_u64()).max().map_or(0, |last| last + 1);
        let middle = (0..rounds).filter_map(|round| {
            let tries = self.of(way, round);
            tries.get(tries.len() / 2).copied()
        });
        let both = |run: &Value, what: &str| {
            number(run, &format!("fill_{what}")) + number(run, &format!("drain_{what}"))
        };
        middle
            .map(|run| {
                [number(run, "per_second"), number(run, "bytes"), both(run, "cpu_us"), both(run, "commands")]
            })
            .collect()
    }

    fn plot(&self) -> String {
        let ours = self.figures(OURS);
        let rows = WAYS.iter().filter_map(|(way, name)| {
            let ratios: Vec<f64> =
                self.figures(way).iter().zip(&ours).map(|([rate, ..], [base, ..])| rate / base).collect();
            let spread = if *way == OURS { self.noise() } else { ends(&ratios) };
            (!ratios.is_empty()).then(|| Row {
                label: (*name).to_owned(),
                value: median(&ratios),
                spread,
                ours: *way == OURS,
                goal: None,
            })
        });
        let about = "as a ratio to ours in the same round. To the right is better. The bar is from the worst to the best \
            round, of ours from its slowest run to its fastest.";
        Plot { title: "Entries a second", about, end: 1.25, rows: rows.collect() }.draw()
    }

    fn table(&self) -> String {
        let ours = self.figures(OURS);
        let rows: Vec<table::Row> = WAYS
            .iter()
            .filter_map(|(way, name)| {
                let rounds = self.figures(way);
                rounds.first()?;
                let mut cells = vec![(*name).to_owned()];
                for at in 0..FIGURES.len() {
                    let of = |figures: &[f64; 4]| figures.get(at).copied().unwrap_or(f64::NAN);
                    let middle = short(median(&rounds.iter().map(of).collect::<Vec<_>>()));
                    let times = rounds.iter().zip(&ours).map(|(way, ours)| match at {
                        0 => of(ours) / of(way),
                        _ => of(way) / of(ours),
                    });
                    let times = short(median(&times.collect::<Vec<_>>()));
                    cells.push(if *way == OURS { middle } else { format!("{middle} ({times})") });
                }
                Some(table::Row { cells, ours: *way == OURS })
            })
            .collect();
        let heads: Vec<&str> = ["an entry, put in and drained"].into_iter().chain(FIGURES).collect();
        table(&heads, &rows)
    }

    /// The slowest and the fastest run of ours, as ratios to the median of all of them.
    fn noise(&self) -> (f64, f64) {
        let ours = self.0.iter().filter(|run| run["way"] == OURS);
        let rates: Vec<f64> = ours.map(|run| number(run, "per_second")).collect();
        let (low, high) = ends(&rates);
        (low / median(&rates), high / median(&rates))
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    (quantile(values, 0.0), quantile(values, 1.0))
}

fn drained(raw: &Raw) -> String {
    raw.of("drain", "drained")
        .map(|row| {
            let of = |figure| thousands(number(row, figure));
            format!(
                "<p class=about>Alone, one writer brings <b>{}</b> entries a second into PostgreSQL: {} of {} bytes, \
                 from {} shards, {} rows an INSERT, {} of them at a time.</p>",
                of("per_second"),
                of("entries"),
                of("bytes"),
                of("shards"),
                of("rows"),
                of("inserts"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(way: &str, round: u64, rate: f64, bytes: f64) -> String {
        let run = json!({
            "bench": "bullmq", "what": "drained", "way": way, "round": round, "events": 1000, "per_second": rate,
            "bytes": bytes, "fill_cpu_us": 1.0, "drain_cpu_us": 2.0, "fill_commands": 3.0, "drain_commands": 4.0,
        });
        format!("{run}\n")
    }

    #[test]
    fn of_a_round_the_middle_try_counts_and_ratios_stay_within_it() {
        let mut lines = String::new();
        for (round, theirs, ours) in [(0, 10.0, [80.0, 300.0, 100.0]), (1, 20.0, [400.0, 390.0, 420.0])] {
            lines += &line("one", round, theirs, 900.0);
            lines.extend(ours.map(|rate| line("ours", round, rate, 300.0)));
        }
        let html = part(&Raw::of_lines(&lines)).unwrap();
        // 100 / 10 and 400 / 20, not the median of ours by the median of theirs; of two, the upper one.
        assert!(
            html.contains("<td>BullMQ, an INSERT each<td>20.0 (20.0)<td>900 (3.00)<td>3.00 (1.00)"),
            "{html}"
        );
        assert!(html.contains("<tr class=ours><td>cloakroom<td>400<td>300<td>3.00<td>7.00"), "{html}");
        assert!(!html.contains("BullMQ, batches"), "what was not measured has no row: {html}");
    }
}
