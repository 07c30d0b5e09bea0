//! What PostgreSQL's `jsonb` takes.
//!
//! Valid JSON is not enough: `jsonb` keeps numbers as `numeric` and texts in the server's encoding, and
//! reads by recursion. A visitor who can put a value into a session must not be able to stop the queue by
//! it, so that what `jsonb` refuses is found here and stored as bytes. Cleaning the text instead would
//! store another value than the session held.

/// How deep arrays and objects may nest. PostgreSQL's stack of 2 MB breaks at some thousands.
const MAX_DEPTH: usize = 100;

/// How many digits a number may have, and how large its exponent may be. `numeric` ends at 131,072 digits
/// before the point and 16,383 behind it; a few thousand keep `1e131071` from becoming 131 KB of text.
const MAX_DIGITS: usize = 1000;

/// How many bytes of JSON go into `jsonb`.
const MAX_BYTES: usize = 256 * 1024;

/// Whether `jsonb` takes this text, which must be valid JSON.
pub(super) fn accepts(json: &str) -> bool {
    let mut rest = json.as_bytes();
    let mut depth = 0_usize;
    if rest.len() > MAX_BYTES {
        return false;
    }
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b'"' => match string(after) {
                Some(rest) => rest,
                None => return false,
            },
            b'[' | b'{' if depth == MAX_DEPTH => return false,
            b'[' | b'{' => {
                depth += 1;
                after
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'-' | b'0'..=b'9' => match number(rest) {
                Some(rest) => rest,
                None => return false,
            },
            _ => after,
        };
    }
    true
}

/// Skips a string whose first quote was read; `None` where it holds NUL or half a surrogate pair.
fn string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'u', after @ ..] => match unit(after)? {
                (0 | 0xDC00..=0xDFFF, _) => return None,
                (0xD800..=0xDBFF, [b'\\', b'u', low @ ..]) => match unit(low)? {
                    (0xDC00..=0xDFFF, after) => after,
                    _ => return None,
                },
                (0xD800..=0xDBFF, _) => return None,
                (_, after) => after,
            },
            [b'\\', _, after @ ..] => after,
            [0, ..] | [] => return None,
            [_, after @ ..] => after,
        };
    }
}

/// The four hexadecimal digits of an escape.
fn unit(rest: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, after) = rest.split_first_chunk::<4>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

/// Skips a number; `None` where it is too long or its exponent too large.
fn number(rest: &[u8]) -> Option<&[u8]> {
    let end = rest
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(end)?;
    let mut parts = number.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let mantissa = parts.next().unwrap_or_default();
    if mantissa.len() > MAX_DIGITS {
        return None;
    }
    match parts.next() {
        None => Some(after),
        Some(exponent) => {
            let exponent: i32 = std::str::from_utf8(exponent).ok()?.parse().ok()?;
            (exponent.unsigned_abs() as usize <= MAX_DIGITS).then_some(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_jsonb_takes_and_what_it_refuses() {
        let deep = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let taken = [
            "null",
            "{}",
            r#"{"a":[1,-2.5,1e308,-1E-300,0.1e+7]}"#,
            r#""\\u0000""#,
            r#""\u00e9\ud83d\ude00""#,
            "\"😀\"",
            r#"{"\\":"\"[[[["}"#,
            &deep(100),
            &"9".repeat(1000),
            "1e1000",
        ];
        for json in taken {
            assert!(accepts(json), "{json}");
        }
        let refused = [
            r#""\u0000""#,
            r#"{"a\u0000":1}"#,
            r#""\\\u0000""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ude00\ud83d""#,
            "1e1001",
            "1e-1001",
            "[1E400000]",
            "1e99999999999",
            &deep(101),
            &"9".repeat(1001),
            &format!("\"{}\"", "a".repeat(MAX_BYTES)),
        ];
        for json in refused {
            assert!(!accepts(json), "{json}");
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn holds_nul(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(values) => values.iter().any(holds_nul),
            serde_json::Value::Object(map) => {
                map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn whatever_serde_writes_is_taken_unless_it_holds_nul(value in any_json()) {
            prop_assert_eq!(accepts(&value.to_string()), !holds_nul(&value));
        }

        #[test]
        fn nul_is_found_wherever_it_hides(before in any::<String>(), after in any::<String>(), mut value in any_json()) {
            value = serde_json::json!([value, format!("{before}\0{after}")]);
            prop_assert!(!accepts(&value.to_string()));
        }

        #[test]
        fn no_input_panics(text in any::<String>()) {
            accepts(&text);
        }
    }
}
