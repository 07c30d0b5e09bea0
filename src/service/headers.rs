//! A response's headers as bytes and strings.

use http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE};

use crate::manager::ResponseHeaders;

pub(super) struct Headers<'a>(pub(super) &'a mut HeaderMap);

impl ResponseHeaders for Headers<'_> {
    fn lines(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).into_iter().map(HeaderValue::as_bytes)
    }

    fn retain(&mut self, name: &'static str, keep: impl Fn(&[u8]) -> bool) {
        let kept: Vec<_> =
            self.0.get_all(name).into_iter().filter(|line| keep(line.as_bytes())).cloned().collect();
        self.0.remove(name);
        for line in kept {
            self.0.append(HeaderName::from_static(name), line);
        }
    }

    fn append(&mut self, name: &'static str, line: &str) {
        let name = HeaderName::from_static(name);
        if let Ok(mut line) = HeaderValue::from_str(line) {
            line.set_sensitive(name == SET_COOKIE);
            self.0.append(name, line);
        }
    }

    fn append_known(&mut self, name: &'static str, line: &'static str) {
        self.0.append(HeaderName::from_static(name), HeaderValue::from_static(line));
    }

    fn append_secret(&mut self, name: &'static str, line: &str) {
        if let Ok(mut line) = HeaderValue::from_str(line) {
            line.set_sensitive(true);
            self.0.append(HeaderName::from_static(name), line);
        }
    }
}
