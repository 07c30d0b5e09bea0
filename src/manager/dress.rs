//! What a session has to say in a response's headers: its cookie, and what caches must know.

use std::borrow::Cow;

use super::{
    Ending, Manager,
    caching::{CacheHeaders, cache_headers},
};

/// A response's headers, whichever `http` types the adapter has. Names come in lower case.
pub trait ResponseHeaders {
    /// The lines of a header, in their order.
    fn lines(&self, name: &'static str) -> impl Iterator<Item = &[u8]>;

    /// Removes the lines of a header that `keep` is against; the others keep their order.
    fn retain(&mut self, name: &'static str, keep: impl Fn(&[u8]) -> bool);

    /// Adds a line. It is a secret if it is a cookie.
    fn append(&mut self, name: &'static str, line: &str);

    /// Adds a line that is known beforehand, and is neither a cookie nor a secret. Without an implementation of its own
    /// it is added as any other.
    fn append_known(&mut self, name: &'static str, line: &'static str) {
        self.append(name, line);
    }

    /// Adds a line that is a secret whatever its name: its `Debug` must not show it. Without an
    /// implementation of its own it is added as any other.
    fn append_secret(&mut self, name: &'static str, line: &str) {
        self.append(name, line);
    }
}

impl Manager {
    /// Adds the cookie or the token and the caching headers, after the handler's own are known. Doing it twice is
    /// doing it once.
    pub fn dress(&self, headers: &mut impl ResponseHeaders, ending: &Ending) {
        if let Some(line) = &ending.set_cookie {
            let ours = |line: &[u8]| {
                let rest = line.strip_prefix(self.cookie_name().as_bytes());
                rest.is_some_and(|rest| rest.first() == Some(&b'='))
            };
            // One cookie of our name a response; the application's others stay.
            if headers.lines(SET_COOKIE).any(ours) {
                headers.retain(SET_COOKIE, |line| !ours(line));
            }
            headers.append(SET_COOKIE, line);
        }
        if let Some((name, token)) = &ending.token_header {
            headers.retain(name, |_| false);
            headers.append_secret(name, token);
        }
        let hands_out = ending.set_cookie.is_some() || ending.token_header.is_some();
        if !self.sets_cache_headers() {
            return;
        }
        let CacheHeaders { vary, cache_control } = cache_headers(
            ending.accessed,
            hands_out,
            self.varies_by(),
            || headers.lines(VARY),
            || headers.lines(CACHE_CONTROL).next(),
        );
        if let Some(line) = cache_control {
            if headers.lines(CACHE_CONTROL).next().is_some() {
                headers.retain(CACHE_CONTROL, |_| false);
                tracing::warn!(
                    "a response with a session token was meant to be stored by caches; it says no-store now"
                );
            }
            headers.append_known(CACHE_CONTROL, line);
        }
        match vary {
            Some(Cow::Borrowed(line)) => headers.append_known(VARY, line),
            Some(Cow::Owned(line)) => headers.append(VARY, &line),
            None => {}
        }
    }
}

const SET_COOKIE: &str = "set-cookie";
const VARY: &str = "vary";
const CACHE_CONTROL: &str = "cache-control";
