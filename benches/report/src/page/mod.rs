//! The page: what was compared first, then what it costs inside, then how to repeat it.

mod events;
mod growth;
mod micro;
mod peers;
mod plot;
mod runs;
mod store;
mod table;

use crate::raw::Raw;

pub(crate) fn of(raw: &Raw) -> String {
    let sections = [
        ("Beside other libraries", peers::section(raw)),
        ("Load and commit", store::section(raw)),
        ("Events", events::section(raw)),
        ("Growth", growth::section(raw)),
        ("Without Redis", micro::section(raw)),
        ("Runs", runs::section(raw)),
    ];
    let body: String = sections
        .into_iter()
        .map(|(title, section)| {
            let text = section.unwrap_or_else(|| "<p class=about>Not measured.</p>".to_owned());
            format!("<section><h2>{title}</h2>{text}</section>")
        })
        .collect();
    let style = include_str!("style.css");
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>cloakroom, measured</title>\
         <meta name=viewport content='width=device-width'><meta name=color-scheme content='light dark'>\
         <style>{style}</style><main><h1>Cloakroom, measured</h1>\
         <p class=about>Server-side sessions on Redis: what they cost a request. Everything is a ratio within one \
         run on one machine, against the least that a session can cost: one <code>GET</code>.</p>{body}</main></html>"
    )
}

/// Text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number as a person writes it: three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        _ if !number.is_finite() => "–".to_owned(),
        size if size >= 100.0 => thousands(number.round()),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let count = digits.len();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (count - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
