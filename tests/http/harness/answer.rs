//! A response, read as a test reads it.

use std::fmt;

use http::{HeaderMap, HeaderName, Response};
use serde_json::Value;

use super::NAME;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(response: Response<Vec<u8>>) -> Self {
        let (head, body) = response.into_parts();
        let answer = Self { status: head.status.as_u16(), headers: head.headers, body };
        let ours = answer.set_cookies().iter().filter(|line| line.starts_with(&format!("{NAME}="))).count();
        assert!(ours <= 1, "more than one session cookie: {answer:?}");
        answer
    }

    /// All values of a header, in order.
    pub(crate) fn all(&self, name: impl Into<HeaderName>) -> Vec<String> {
        let values = self.headers.get_all(name.into()).into_iter();
        values.map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap()).collect()
    }

    pub(crate) fn set_cookies(&self) -> Vec<String> {
        self.all(http::header::SET_COOKIE)
    }

    /// The whole line of the session cookie, if there is one.
    pub(crate) fn cookie_line(&self) -> Option<String> {
        self.set_cookies().into_iter().find(|line| line.starts_with(&format!("{NAME}=")))
    }

    /// The token that the response hands out, if it does.
    pub(crate) fn issued(&self) -> Option<String> {
        let line = self.cookie_line()?;
        let value = line.split(';').next()?.split_once('=')?.1;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The token that the response must hand out.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.issued().unwrap_or_else(|| panic!("no session cookie: {self:?}"))
    }

    /// Whether the response takes the cookie away.
    pub(crate) fn removes_cookie(&self) -> bool {
        self.cookie_line()
            .is_some_and(|line| line.starts_with(&format!("{NAME}=;")) && line.contains("Max-Age=0"))
    }

    /// What the steps told, after checking that the handler was content.
    #[track_caller]
    pub(crate) fn told(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What the only step that tells something told.
    #[track_caller]
    pub(crate) fn one(&self) -> Value {
        let told = self.told();
        assert_eq!(told.len(), 1, "{self:?}");
        told[0].clone()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "{}", String::from_utf8_lossy(&self.body))
    }
}
