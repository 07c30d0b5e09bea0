//! The page: what was compared first, then what it costs inside, then how to repeat it.

mod events;
mod growth;
mod micro;
mod peers;
mod plot;
mod runs;
mod store;
mod table;
mod trail;

use crate::raw::Raw;

pub(crate) fn of(raw: &Raw) -> String {
    let sections = [
        ("Beside other libraries", peers::section(raw)),
        ("The audit trail", trail::section(raw)),
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

/// What the README shows: a table in Markdown, and a plot. `None` where peers were not measured.
pub(crate) fn readme(raw: &Raw) -> Option<(String, String)> {
    peers::readme(raw)
}

/// Text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&quot;")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_compares_with_what_was_written_by_hand() {
        let mut lines = String::new();
        for (peer, p50, rate) in
            [("raw", 20.0, 1000.0), ("ours-axum", 22.0, 960.0), ("raw-again", 20.0, 1010.0)]
        {
            if peer != "raw-again" {
                lines += &format!(
                    "{{\"bench\":\"peers\",\"what\":\"peer\",\"peer\":\"{peer}\",\"about\":\"a\"}}\n"
                );
            }
            for route in ["read", "write"] {
                for connections in [1, 64] {
                    lines += &format!(
                        "{{\"bench\":\"peers\",\"what\":\"http\",\"peer\":\"{peer}\",\"route\":\"{route}\",\
                         \"connections\":{connections},\"round\":0,\"p50_us\":{p50},\"per_second\":{rate}}}\n"
                    );
                }
            }
        }
        lines += "{\"bench\":\"peers\",\"what\":\"increments\",\"peer\":\"ours-axum\",\"instances\":2,\"sent\":200,\"counted\":200}\n{\"half";
        let (table, plot) = readme(&Raw::of_lines(&lines)).unwrap();
        assert!(table.contains("| **ours-axum** | 1.10 | 1.10 | 0.96 | 0.96 | – | 200 |"), "{table}");
        assert!(table.contains("| raw-again | 1.00 | 1.00 | 1.01 | 1.01 | – | – |"), "{table}");
        assert!(
            plot.starts_with("<svg xmlns=") && plot.ends_with("</svg>") && plot.contains("ours-axum, write")
        );
        assert!(readme(&Raw::of_lines("")).is_none());
    }

    #[test]
    fn recoveries_are_told_by_their_rows() {
        let lines = "{\"bench\":\"recovery\",\"what\":\"recovered\",\"how\":\"recovery\",\"sessions\":50000,\"rows\":5,\"per_second\":8655.4}\n\
                     {\"bench\":\"recovery\",\"what\":\"long\",\"how\":\"from all rows\",\"sessions\":200,\"rows_read\":200000,\"per_second\":42.0}";
        let page = of(&Raw::of_lines(lines));
        assert!(page.contains("<td>recovery<td>50,000<td>250,000<td>8,655"), "{page}");
        assert!(page.contains("<td>from all rows<td>200<td>200,000<td>42"), "{page}");
    }
}
