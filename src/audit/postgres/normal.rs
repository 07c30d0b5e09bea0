//! JSON as `jsonb` gives it back.
//!
//! `jsonb` keeps what a text means and not how it was written:
//!
//! | | written | given back |
//! |---|---|---|
//! | members | `{"name":1,"id":2}` | by length, then by bytes: `{"id":2,"name":1}` |
//! | a key that comes twice | `{"a":1,"a":2}` | the last: `{"a":2}` |
//! | exponents | `1.5e3`, `1e-2` | written out: `1500`, `0.01` |
//! | zero | `-0`, `-0.0` | without its sign: `0`, `0.0` |
//! | escapes | `"\u0041"`, `"\/"` | the character: `"A"`, `"/"` |
//! | white space | any | its own |
//!
//! Digits are never lost, and `1.50` stays `1.50`. Where a value would come back otherwise than it was
//! written, the row keeps the payload in `delta_raw` as well, so that recovery restores it byte for byte.

use std::{borrow::Cow, collections::HashMap, fmt::Write as _};

use serde_json::value::RawValue;

/// The text as `jsonb` gives it back, without the white space that it puts in. Of valid JSON that
/// [`jsonb`](super::jsonb) takes; `None` for anything else.
pub(in crate::audit) fn normal(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    write(json.trim_matches([' ', '\t', '\n', '\r']), &mut out)?;
    Some(out)
}

fn write(json: &str, out: &mut String) -> Option<()> {
    match json.as_bytes().first()? {
        b'{' => {
            let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            out.push('{');
            for (place, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                write(value.get(), out)?;
            }
            out.push('}');
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            out.push('[');
            for (place, element) in elements.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                write(element.get(), out)?;
            }
            out.push(']');
        }
        b'"' if !json.contains('\\') => out.push_str(json),
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            out.push_str(&serde_json::to_string(&text).ok()?);
        }
        b'-' | b'0'..=b'9' => number(json, out)?,
        _ => out.push_str(json),
    }
    Some(())
}

/// A number as `numeric` writes it: all digits, and as many behind the point as were written there.
fn number(json: &str, out: &mut String) -> Option<()> {
    let (negative, rest) = json.strip_prefix('-').map_or((false, json), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let scale = usize::try_from((i64::try_from(fraction.len()).ok()? - exponent).max(0)).ok()?;
    // Digits before the point, filled up or cut to it.
    let whole: String = match usize::try_from(point) {
        Ok(point) => digits.chars().chain(std::iter::repeat('0')).take(point).collect(),
        Err(_) => String::new(),
    };
    let fraction: String = match usize::try_from(point) {
        Ok(point) => digits.chars().skip(point).take(scale).collect(),
        Err(_) => {
            let zeros = usize::try_from(-point).ok()?;
            std::iter::repeat_n('0', zeros).chain(digits.chars()).take(scale).collect()
        }
    };
    let whole = whole.trim_start_matches('0');
    if negative && digits.bytes().any(|digit| digit != b'0') {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let _ = write!(out, ".{fraction:0<scale$}");
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_as_jsonb_does() {
        let table = [
            ("1.50", "1.50"),
            ("1.5e3", "1500"),
            ("1.5E+1", "15"),
            ("15e-1", "1.5"),
            ("1e-3", "0.001"),
            ("1.20e1", "12.0"),
            ("1.20e-2", "0.0120"),
            ("0e5", "0"),
            ("0.00e-1", "0.000"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("-1e2", "-100"),
            ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
            ("\"\\u0041\\/\\u001F\\u0008\"", "\"A/\\u001f\\b\""),
            ("{\"name\": 1, \"id\" :2, \"id\":3}", "{\"id\":3,\"name\":1}"),
            (" [ 1 , {} , [] , null, true ] ", "[1,{},[],null,true]"),
        ];
        for (written, expected) in table {
            assert_eq!(normal(written).as_deref(), Some(expected), "{written}");
            assert_eq!(normal(expected).as_deref(), Some(expected), "{written}, twice");
        }
        assert_eq!(normal(""), None);
        assert_eq!(normal("{"), None);
    }
}
