//! Text for people, JSON for machines.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use cloakroom::clock::Timestamp;
use serde::Serialize;

use crate::exit::Result;

/// One line on stdout. `println!` would panic at a pipe that nobody reads any more.
pub(crate) fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())?;
    Ok(())
}

/// A value as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    line(text)
}

/// What was found, a line each, and how many more there were.
pub(crate) fn findings(found: impl IntoIterator<Item = impl ToString>, more: u64) -> Result<()> {
    for one in found {
        line(visible(&one.to_string()))?;
    }
    if more > 0 {
        line(format!("… and {more} more"))?;
    }
    Ok(())
}

/// Rows below their headings, columns aligned.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Result<()> {
    let headings = headings.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    for row in all() {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{}{}", visible(cell), pad(cell, width)))
            .collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn pad(cell: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(cell.chars().count()))
}

/// Without control characters: a value that a visitor wrote must not steer an operator's terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{FFFD}' } else { char }).collect()
}

/// `2026-11-23T05:33:14.123Z`. The calendar is computed here, since one line needs no further crate.
pub(crate) fn time(at: Timestamp) -> String {
    let (days, of_day) = (at.as_millis() / 86_400_000, at.as_millis() % 86_400_000);
    // Days since 0000-03-01 in eras of 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `1.2 s`, `3 min`, `5 h`: as precise as a person needs it.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        0..60 => format!("{:.1} s", span.as_secs_f64()),
        60..3600 => format!("{} min", span.as_secs() / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// `12 B`, `3.4 KB`, `5.6 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_583_020_800_000, "2020-03-01T00:00:00.000Z"),
            (1_763_875_994_123, "2025-11-23T05:33:14.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(time(Timestamp::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_a_visitor_wrote_does_not_steer_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
    }

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!([bytes(999), bytes(1500), bytes(2_500_000)], ["999 B", "1.5 KB", "2.5 MB"]);
        assert_eq!([span(Duration::from_millis(1240)), span(Duration::from_secs(90))], ["1.2 s", "1 min"]);
    }
}
