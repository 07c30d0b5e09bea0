//! What a shared cache must know of a response that depends on a session.

/// The headers to add. `None`: leave what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CacheHeaders {
    /// Append `Vary: Cookie`.
    pub(super) vary: bool,
    /// Replace `Cache-Control` by this.
    pub(super) cache_control: Option<&'static str>,
}

/// Decides by what the response depends on and what the handler already said.
///
/// `Set-Cookie` alone does not keep a cache from storing a response (RFC 9111 §7.3), and
/// `no-cache="Set-Cookie"` is widely ignored.
pub(super) fn cache_headers<'a>(
    accessed: bool,
    sets_cookie: bool,
    vary: impl IntoIterator<Item = &'a [u8]>,
    cache_control: Option<&[u8]>,
) -> CacheHeaders {
    if !accessed && !sets_cookie {
        return CacheHeaders::default();
    }
    let names = vary.into_iter().flat_map(|line| line.split(|byte| *byte == b','));
    let mut names = names.map(<[u8]>::trim_ascii);
    let varies = names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie"));
    let cache_control = match cache_control {
        None => Some(PRIVATE),
        Some(said) if sets_cookie && !forbids_storing(said) => Some(PRIVATE),
        Some(_) => None,
    };
    CacheHeaders { vary: !varies, cache_control }
}

const PRIVATE: &str = "private, no-store";

fn forbids_storing(cache_control: &[u8]) -> bool {
    cache_control.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(b"no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case() {
        let decide = |accessed, cookie, vary: &[&'static str], control: Option<&str>| {
            let headers = cache_headers(
                accessed,
                cookie,
                vary.iter().map(|line| line.as_bytes()),
                control.map(str::as_bytes),
            );
            (headers.vary, headers.cache_control)
        };
        assert_eq!(decide(false, false, &[], None), (false, None), "a public page stays one");
        assert_eq!(decide(true, false, &[], None), (true, Some(PRIVATE)));
        assert_eq!(
            decide(true, false, &[], Some("public, max-age=60")),
            (true, None),
            "the handler's choice"
        );
        assert_eq!(
            decide(true, true, &[], Some("public, max-age=60")),
            (true, Some(PRIVATE)),
            "never with a cookie"
        );
        assert_eq!(decide(true, true, &[], Some("No-Store")), (true, None));
        assert!(!decide(true, false, &["Accept, cookie"], None).0);
        assert!(!decide(true, false, &["Accept", "*"], None).0);
        assert!(decide(true, false, &["X-Cookie"], None).0);
    }
}
