//! Reading the header, over raw bytes.

use super::HeaderConfig;
use crate::{cookie::Presented, id::Token};

/// What the request presents in this header, given the values of all its lines.
///
/// An empty value is `Malformed`: it names no session, and says that the client wants the header.
pub(crate) fn read<'a>(config: &HeaderConfig, lines: impl IntoIterator<Item = &'a [u8]>) -> Presented {
    let (mut found, mut count) = (None, 0_usize);
    for line in lines {
        count += 1;
        let token = if config.bearer { behind_bearer(line) } else { Some(line) };
        found = found.or(token);
    }
    match found {
        None => Presented::Nothing,
        // Who reads which of them differs between proxies and servers, so none of them counts.
        Some(_) if count > 1 => Presented::Duplicate,
        Some(text) => Token::parse(text).map_or(Presented::Malformed, Presented::Token),
    }
}

/// What stands behind the scheme; `None` for another scheme, which is somebody else's business.
fn behind_bearer(line: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = line.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    match rest {
        [] => Some(rest),
        [b' ', token @ ..] => Some(token),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(config: &HeaderConfig, lines: &[&str]) -> &'static str {
        match read(config, lines.iter().map(|line| line.as_bytes())) {
            Presented::Nothing => "nothing",
            Presented::Token(_) => "token",
            Presented::Malformed => "malformed",
            Presented::Duplicate => "duplicate",
            Presented::Oversized => "oversized",
        }
    }

    #[test]
    fn every_spelling() {
        let token = "A".repeat(43);
        let bearer = |text: &str| text.replace("TOKEN", &token);
        let config = HeaderConfig::bearer();
        for (lines, expected) in [
            (&[][..], "nothing"),
            (&["Bearer TOKEN"], "token"),
            (&["bearer TOKEN"], "token"),
            (&["Bearer"], "malformed"),
            (&["Bearer "], "malformed"),
            (&["Bearer  TOKEN"], "malformed"),
            (&["Bearer TOKEN "], "malformed"),
            (&["Bearer TOKEN="], "malformed"),
            (&["Bearer TOKEN, Bearer TOKEN"], "malformed"),
            (&["Bearer TOKENB"], "malformed"),
            (&["Bearer \"TOKEN\""], "malformed"),
            (&["BearerTOKEN"], "nothing"),
            (&["Basic TOKEN"], "nothing"),
            (&["TOKEN"], "nothing"),
            (&["Bearer TOKEN", "Bearer TOKEN"], "duplicate"),
            (&["Basic x", "Bearer TOKEN"], "duplicate"),
            (&["Basic x", "Digest y"], "nothing"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| bearer(line)).collect();
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            assert_eq!(kind(&config, &lines), expected, "{lines:?}");
        }
        let config = HeaderConfig::named("x-session").unwrap();
        for (lines, expected) in [
            (&[][..], "nothing"),
            (&["TOKEN"], "token"),
            (&[""], "malformed"),
            (&[" TOKEN"], "malformed"),
            (&["Bearer TOKEN"], "malformed"),
            (&["TOKEN", ""], "duplicate"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| bearer(line)).collect();
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            assert_eq!(kind(&config, &lines), expected, "{lines:?}");
        }
    }
}
