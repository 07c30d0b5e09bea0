//! Which header.

use crate::error::{Error, ErrorKind, Result};

/// How a token travels between the client and here.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Transport {
    /// In the cookie alone; no header is looked at.
    #[default]
    Cookie,
    /// In a header alone; no cookie is looked at and none is set.
    Header(HeaderConfig),
    /// In whichever the request comes with. Both at once are answered with 400, and a request with
    /// neither is a browser's.
    CookieOrHeader(HeaderConfig),
}

impl Transport {
    pub(crate) const fn header(&self) -> Option<&HeaderConfig> {
        match self {
            Self::Cookie => None,
            Self::Header(header) | Self::CookieOrHeader(header) => Some(header),
        }
    }

    /// What a response depends on, as `Vary` names it.
    pub(crate) fn varies_by(&self) -> [Option<&'static str>; 2] {
        let cookie = (!matches!(self, Self::Header(_))).then_some("Cookie");
        [cookie, self.header().map(HeaderConfig::name)]
    }
}

/// The header of a request that holds its token, and the one of a response that hands out a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderConfig {
    pub(super) request: &'static str,
    response: &'static str,
    /// Whether the token stands behind `Bearer`.
    pub(super) bearer: bool,
}

/// Headers with a meaning that a token would break, or that would break the token.
const TAKEN: [&str; 14] = [
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "location",
    "proxy-authorization",
    "set-cookie",
    "te",
    "transfer-encoding",
    "upgrade",
    "vary",
];

impl HeaderConfig {
    /// `Authorization: Bearer <token>` in requests (RFC 6750), `session-token: <token>` in responses.
    pub const fn bearer() -> Self {
        Self { request: "authorization", response: "session-token", bearer: true }
    }

    /// `<name>: <token>` in requests and in responses.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that is not in lower case, is no header name, or has another
    /// meaning.
    pub fn named(name: &'static str) -> Result<Self> {
        check(name)?;
        Ok(Self { request: name, response: name, bearer: false })
    }

    /// Takes another name in responses.
    ///
    /// # Errors
    ///
    /// As [`named`](Self::named).
    pub fn with_response_name(self, name: &'static str) -> Result<Self> {
        check(name)?;
        Ok(Self { response: name, ..self })
    }

    /// The header of requests, in lower case.
    pub const fn name(&self) -> &'static str {
        self.request
    }

    /// The header of responses, in lower case.
    pub const fn response_name(&self) -> &'static str {
        self.response
    }
}

fn check(name: &str) -> Result<()> {
    // `tchar` of RFC 9110 §5.6.2, in the case that HTTP/2 has and header maps compare by.
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(Error::msg(
            ErrorKind::Config,
            format!(
                "header name {name:?}: 1 to 64 lower-case letters, digits or one of !#$%&'*+-.^_`|~ (RFC 9110)"
            ),
        ));
    }
    if TAKEN.contains(&name) {
        return Err(Error::msg(
            ErrorKind::Config,
            format!(
                "header name {name:?} has another meaning: take one such as x-session, or HeaderConfig::bearer()"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_names_are_refused_with_a_reason() {
        for (name, reason) in [
            ("", "lower-case"),
            ("X-Session", "lower-case"),
            ("a b", "lower-case"),
            ("a:b", "lower-case"),
            ("a\r\nset-cookie", "lower-case"),
            ("cookie", "another meaning"),
            ("authorization", "another meaning"),
            ("vary", "another meaning"),
        ] {
            for error in [
                HeaderConfig::named(name).unwrap_err(),
                HeaderConfig::bearer().with_response_name(name).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.to_string().contains(reason), "{name:?}: {error}");
            }
        }
        let header = HeaderConfig::named("x-session").unwrap().with_response_name("x-new-session").unwrap();
        assert_eq!((header.name(), header.response_name()), ("x-session", "x-new-session"));
    }
}
