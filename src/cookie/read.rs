//! Reading `Cookie`, over raw bytes.

use crate::id::Token;

/// What a request presents under the session cookie's name.
#[derive(Debug)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// One cookie, spelled as a token is.
    Token(Token),
    /// One cookie that can't be a token. It costs no look-up.
    Malformed,
    /// More than one cookie of the name, alike or not: some other host may have set one of them.
    Duplicate,
    /// More than 16 KiB of cookies: none of them is looked at.
    Oversized,
}

/// How many bytes of `Cookie` are looked at, over all lines together.
const LIMIT: usize = 16 * 1024;

/// Looks for the cookie `name` in the values of all `Cookie` lines of a request.
///
/// Linear in the input, without an allocation. Bytes that are no UTF-8 spoil only their own pair.
///
/// ```
/// use cloakroom::cookie::{Presented, read};
///
/// let token = "A".repeat(43);
/// let line = format!("theme=dark; id={token}");
/// assert!(matches!(read("id", [line.as_bytes()]), Presented::Token(_)));
/// // A name is compared byte by byte: what decodes to it is another name.
/// let line = format!("%69d={token}");
/// assert!(matches!(read("id", [line.as_bytes()]), Presented::Nothing));
/// ```
pub fn read<'a>(name: &str, lines: impl IntoIterator<Item = &'a [u8]>) -> Presented {
    let (mut found, mut budget) = (None, LIMIT);
    for line in lines {
        budget = match budget.checked_sub(line.len()) {
            Some(rest) => rest,
            None => return Presented::Oversized,
        };
        for pair in line.split(|byte| *byte == b';') {
            let Some(value) = value_of(name.as_bytes(), pair) else { continue };
            if found.replace(value).is_some() {
                return Presented::Duplicate;
            }
        }
    }
    match found.map(Token::parse) {
        None => Presented::Nothing,
        Some(None) => Presented::Malformed,
        Some(Some(token)) => Presented::Token(token),
    }
}

/// The value of `pair` if it has exactly this name.
fn value_of<'a>(name: &[u8], pair: &'a [u8]) -> Option<&'a [u8]> {
    // Only what RFC 6265 puts between two pairs; a wider notion of white space is an attack (see above).
    let start = pair.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    pair.get(start..)?.strip_prefix(name)?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "__Host-Http-id";

    fn token() -> String {
        format!("{}A", "x".repeat(42))
    }

    fn kind(lines: &[&[u8]]) -> &'static str {
        match read(NAME, lines.iter().copied()) {
            Presented::Nothing => "nothing",
            Presented::Token(_) => "token",
            Presented::Malformed => "malformed",
            Presented::Duplicate => "duplicate",
            Presented::Oversized => "oversized",
        }
    }

    #[test]
    fn forged_names_never_match_and_the_genuine_one_is_still_found() {
        let t = token();
        let genuine = format!("{NAME}={t}");
        let forged = [
            format!("%5F%5FHost-Http-id={t}"),
            format!("__Host-Http-i%64={t}"),
            format!("\u{2000}{NAME}={t}"),
            format!("\u{a0}{NAME}={t}"),
            format!("\u{85}{NAME}={t}"),
            format!("\u{b}{NAME}={t}"),
            format!("\u{c}{NAME}={t}"),
            format!("{NAME} ={t}"),
            format!("\"{NAME}\"={t}"),
            format!("__HOST-Http-id={t}"),
            format!("={NAME}={t}"),
            format!("$Version=1, {NAME}={t}"),
            format!("a=b, {NAME}={t}"),
            format!("a=\"; x={NAME}={t}"),
            format!("{NAME}x={t}"),
            NAME.to_owned(),
        ];
        for forged in &forged {
            assert_eq!(kind(&[forged.as_bytes()]), "nothing", "{forged:?}");
            let both = format!("{forged}; {genuine}");
            assert_eq!(kind(&[both.as_bytes()]), "token", "{both:?}");
            assert_eq!(
                kind(&[genuine.as_bytes(), forged.as_bytes()]),
                "token",
                "{forged:?} on a line of its own"
            );
        }
    }

    #[test]
    fn a_stray_byte_elsewhere_logs_nobody_out() {
        let mut line = b"junk=\xff\xfe; ".to_vec();
        line.extend_from_slice(format!("{NAME}={}", token()).as_bytes());
        assert_eq!(kind(&[&line]), "token");
    }

    #[test]
    fn two_of_our_name_are_none() {
        let (one, other) = (format!("{NAME}={}", token()), format!("{NAME}=other"));
        for (first, second) in [(&one, &other), (&other, &one), (&one, &one)] {
            assert_eq!(kind(&[format!("a=1; {first}; b=2; {second}").as_bytes()]), "duplicate");
            assert_eq!(kind(&[first.as_bytes(), second.as_bytes()]), "duplicate");
        }
        assert_eq!(kind(&[b"a=1", one.as_bytes(), b"b=2"]), "token", "crumbs of one header");
    }

    #[test]
    fn quotes_belong_to_the_value() {
        assert_eq!(kind(&[format!("{NAME}=\"{}\"", token()).as_bytes()]), "malformed");
        assert_eq!(kind(&[format!("{NAME}={} ", token()).as_bytes()]), "malformed");
        assert_eq!(kind(&[format!("{NAME}=").as_bytes()]), "malformed");
    }

    #[test]
    fn too_much_is_not_looked_at() {
        let genuine = format!("; {NAME}={}", token());
        let fits = format!("{}{genuine}", "a".repeat(LIMIT - genuine.len()));
        assert_eq!(kind(&[fits.as_bytes()]), "token");
        assert_eq!(kind(&[fits.as_bytes(), b"b"]), "oversized");
    }

    proptest! {
        /// Against the slowest thing that could be right.
        #[test]
        fn agrees_with_a_naive_reader(line in proptest::collection::vec(prop_oneof![
            Just(b"id".to_vec()), Just(b"=".to_vec()), Just(b";".to_vec()), Just(b" ".to_vec()),
            Just(b"\t".to_vec()), Just(b"%69d".to_vec()), Just(vec![0xff]), Just(token().into_bytes()),
        ], 0..12)) {
            let line = line.concat();
            let pairs: Vec<Vec<u8>> = line.split(|b| *b == b';').map(|pair| {
                let mut pair = pair.to_vec();
                while matches!(pair.first(), Some(b' ' | b'\t')) { pair.remove(0); }
                pair
            }).collect();
            let ours: Vec<&[u8]> = pairs.iter().filter_map(|pair| {
                let at = pair.iter().position(|b| *b == b'=')?;
                (&pair[..at] == b"id").then(|| &pair[at + 1..])
            }).collect();
            let expected = match ours[..] {
                [] => "nothing",
                [one] if one == token().as_bytes() => "token",
                [_] => "malformed",
                _ => "duplicate",
            };
            let got = match read("id", [&line[..]]) {
                Presented::Nothing => "nothing", Presented::Token(_) => "token",
                Presented::Malformed => "malformed", Presented::Duplicate => "duplicate",
                Presented::Oversized => "oversized",
            };
            prop_assert_eq!(got, expected);
        }
    }
}
