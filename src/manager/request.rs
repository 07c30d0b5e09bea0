//! The part of a request that matters here.

use std::net::IpAddr;

use crate::audit::RequestContext;

/// A request's head as bytes and strings.
#[derive(Clone, Debug)]
pub struct RequestHead<'a, C> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The authority of the request target, or the `Host` header.
    pub host: Option<&'a [u8]>,
    /// The value of every `Cookie` line.
    pub cookies: C,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// The `traceparent` header (W3C trace context).
    pub traceparent: Option<&'a [u8]>,
    /// The client's address, if the application determined it.
    pub client_ip: Option<IpAddr>,
}

impl<C> RequestHead<'_, C> {
    /// What the audit trail keeps of it.
    pub(super) fn context(&self) -> RequestContext {
        RequestContext {
            method: Some(clip(self.method, 16)),
            route: Some(clip(self.path, 256)),
            ip: self.client_ip,
            user_agent: self.agent(),
            trace_id: self.traceparent.and_then(trace_id),
        }
    }

    fn agent(&self) -> Option<String> {
        self.user_agent.map(|agent| clip(&String::from_utf8_lossy(agent), 256))
    }

    /// What a sign-in makes a list's entry of, where there is no trail.
    pub(super) fn origin(&self) -> RequestContext {
        RequestContext { ip: self.client_ip, user_agent: self.agent(), ..RequestContext::default() }
    }
}

/// At most `bytes` of `text`, control characters replaced: it ends in logs and terminals.
fn clip(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    // Nearly always: every request comes by here.
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The second part of `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace_id(traceparent: &[u8]) -> Option<String> {
    let id = traceparent.split(|byte| *byte == b'-').nth(1)?;
    let id = std::str::from_utf8(id).ok()?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_clipped_between_characters_and_without_controls() {
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("a\r\nb\u{1b}[31m", 64), "a\u{fffd}\u{fffd}b\u{fffd}[31m");
    }

    #[test]
    fn only_a_whole_trace_id_is_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(format!("00-{id}-00f067aa0ba902b7-01").as_bytes()).as_deref(), Some(id));
        for bad in ["", "00", "00-xyz-1-01", "00-4bf92f3577b34da6a3ce929d0e0e473g-1-1"] {
            assert_eq!(trace_id(bad.as_bytes()), None);
        }
    }
}
