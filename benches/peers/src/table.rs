//! What a person reads: medians of the ratios to the server by hand, within each round.

use report::statistics::{median, quantile};

use crate::{
    increments::Counted,
    rounds::{AGAIN, Measured, ROUTES},
    servers::NAMES,
};

pub fn print(measured: &[Measured], counted: &[Counted]) {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).chain([AGAIN]).collect();
    for (connections, what) in [
        (1, "latency, p50, one connection on one core: less is better"),
        (64, "requests a second, 64 connections: more is better"),
    ] {
        println!("\n{what} (`raw` = 1; in brackets: the middle half of the rounds)");
        println!(
            "{:<18} {:>22} {:>22} {:>9} {:>9} {:>17} {:>17}",
            "", "read", "write", "p99 µs", "p99 µs", "server CPU µs", "Redis CPU µs"
        );
        for name in &names {
            let of = |route| -> Vec<&Measured> {
                let wanted =
                    |m: &&Measured| m.peer == *name && m.route == route && m.connections == connections;
                measured.iter().filter(wanted).collect()
            };
            let [read, write] = ROUTES.map(|(route, _)| of(route));
            if read.is_empty() || write.is_empty() {
                continue;
            }
            let middle = |rows: &[&Measured], of: fn(&Measured) -> f64| {
                median(&rows.iter().map(|m| of(m)).collect::<Vec<_>>())
            };
            println!(
                "{name:<18} {:>22} {:>22} {:>9.0} {:>9.0} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
                ratio(&read, measured),
                ratio(&write, measured),
                middle(&read, |m| m.p99),
                middle(&write, |m| m.p99),
                middle(&read, |m| m.server_cpu),
                middle(&write, |m| m.server_cpu),
                middle(&read, |m| m.redis_cpu),
                middle(&write, |m| m.redis_cpu),
            );
        }
    }
    println!(
        "\na request: round trips to Redis and commands that Redis runs (those inside scripts, too); of 200 increments at once: counted (accepted)"
    );
    println!("{:<18} {:>18} {:>18} {:>24} {:>24}", "", "read", "write", "one instance", "two instances");
    for (name, about) in NAMES {
        let asked = |route: &str| {
            let rows: Vec<_> = measured
                .iter()
                .filter(|m| m.peer == name && m.route == route && m.connections == 1)
                .collect();
            let of = |of: fn(&Measured) -> f64| median(&rows.iter().map(|m| of(m)).collect::<Vec<_>>());
            format!("{:.1}, {:.1}", of(|m| m.reads), of(|m| m.commands))
        };
        let increments = |instances: usize| {
            let rows: Vec<_> =
                counted.iter().filter(|c| c.peer == name && c.instances == instances).collect();
            rows.iter().map(|c| format!("{} ({})", c.counted, c.accepted)).collect::<Vec<_>>().join(" ")
        };
        println!(
            "{name:<18} {:>18} {:>18} {:>24} {:>24}   {about}",
            asked("read"),
            asked("write"),
            increments(1),
            increments(2)
        );
    }
}

/// The median of the ratios to the server by hand in the same round.
fn ratio(rows: &[&Measured], all: &[Measured]) -> String {
    let ratios: Vec<f64> = rows
        .iter()
        .filter_map(|m| {
            let raw = all.iter().find(|raw| {
                raw.peer == "raw"
                    && (raw.route, raw.connections, raw.round) == (m.route, m.connections, m.round)
            })?;
            Some(if m.connections == 1 { m.p50 / raw.p50 } else { m.per_second / raw.per_second })
        })
        .collect();
    format!("{:.2} [{:.2} – {:.2}]", median(&ratios), quantile(&ratios, 0.25), quantile(&ratios, 0.75))
}
