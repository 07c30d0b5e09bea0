//! Plots of one number a row: a dot, and around it the middle half of the rounds.

use std::fmt::Write as _;

use super::{escape, short};

pub(super) struct Row {
    pub(super) label: String,
    pub(super) value: f64,
    /// Where the middle half of the measurements lies.
    pub(super) spread: (f64, f64),
    pub(super) ours: bool,
    /// What ours is to reach.
    pub(super) goal: Option<f64>,
}

pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    /// What the ratio is of, and which direction is good.
    pub(super) about: &'a str,
    /// Where the axis ends. What lies beyond is drawn at its end, as an arrow.
    pub(super) end: f64,
    pub(super) rows: Vec<Row>,
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 26.0;
const ROW: f64 = 24.0;

impl Plot<'_> {
    pub(super) fn draw(&self) -> String {
        format!(
            "<figure><figcaption><b>{}</b> {}</figcaption>{}</figure>",
            escape(self.title),
            escape(self.about),
            self.svg("")
        )
    }

    /// As a file of its own.
    pub(super) fn standalone(&self) -> String {
        let style = include_str!("style.css");
        self.svg(&format!(
            "<title>{}</title><desc>{}</desc><style>{style}</style><rect width='100%' height='100%' fill='var(--card)'/>",
            escape(self.title),
            escape(self.about)
        ))
    }

    fn svg(&self, first: &str) -> String {
        let height = TOP + ROW * self.rows.len() as f64 + 8.0;
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{}'>{first}",
            escape(self.title)
        );
        let step = [0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|step| self.end / step <= 8.0);
        let step = step.unwrap_or(self.end / 5.0);
        for tick in 0..=(self.end / step + 0.001) as usize {
            let value = tick as f64 * step;
            let (x, class) = (self.x(value), if (value - 1.0).abs() < 1e-9 { "one" } else { "grid" });
            let _ = write!(
                svg,
                "<line class='{class}' x1='{x}' x2='{x}' y1='{TOP}' y2='{height}'/><text class='tick' x='{x}' y='16'>{}</text>",
                (value * 100.0).round() / 100.0
            );
        }
        for (n, row) in self.rows.iter().enumerate() {
            self.row(&mut svg, row, TOP + ROW * (n as f64 + 0.5));
        }
        svg + "</svg>"
    }

    fn row(&self, svg: &mut String, row: &Row, y: f64) {
        let class = if row.ours { "ours" } else { "peer" };
        let label = escape(&row.label);
        let baseline = y + 4.5;
        let _ = write!(
            svg,
            "<g class='{class}'><text class='label' x='{}' y='{baseline}'>{label}</text>",
            LEFT - 14.0
        );
        let _ = write!(svg, "<text class='value' x='{WIDTH}' y='{baseline}'>{}</text>", short(row.value));
        if let Some(goal) = row.goal {
            let x = self.x(goal);
            let _ = write!(
                svg,
                "<line class='goal' x1='{x}' x2='{x}' y1='{}' y2='{}'><title>goal: {goal}</title></line>",
                y - 9.0,
                y + 9.0
            );
        }
        if row.value > self.end {
            let _ = write!(svg, "<path d='M{} {} l10 6 l-10 6 z'/>", RIGHT - 6.0, y - 6.0);
        } else if row.value.is_finite() {
            let (low, high) = (self.x(row.spread.0), self.x(row.spread.1));
            let _ = write!(
                svg,
                "<line class='spread' x1='{low}' x2='{high}' y1='{y}' y2='{y}'/><circle cx='{}' cy='{y}' r='5.5'>",
                self.x(row.value)
            );
            let _ = write!(
                svg,
                "<title>{label}: {} ({} to {})</title></circle>",
                short(row.value),
                short(row.spread.0),
                short(row.spread.1)
            );
        }
        svg.push_str("</g>");
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value / self.end).clamp(0.0, 1.0);
        ((LEFT + share * (RIGHT - LEFT)) * 10.0).round() / 10.0
    }
}
