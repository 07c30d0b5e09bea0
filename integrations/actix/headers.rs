//! A response's headers as bytes and strings.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use crate::manager::ResponseHeaders;

pub(super) struct Headers<'a>(pub(super) &'a mut HeaderMap);

impl ResponseHeaders for Headers<'_> {
    fn lines(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }

    fn retain(&mut self, name: &'static str, keep: impl Fn(&[u8]) -> bool) {
        self.0.retain(|other, line| other.as_str() != name || keep(line.as_bytes()));
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
