//! What a shared cache must know of a response that depends on a session.

use std::borrow::Cow;

/// The headers to add. `None`: leave what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CacheHeaders {
    /// Append this `Vary`.
    pub(super) vary: Option<Cow<'static, str>>,
    /// Replace `Cache-Control` by this.
    pub(super) cache_control: Option<&'static str>,
}

/// Decides by what the response depends on and what the handler already said, which is looked up only where the response
/// depends on a session.
///
/// `Set-Cookie` alone does not keep a cache from storing a response (RFC 9111 §7.3), and
/// `no-cache="Set-Cookie"` is widely ignored.
pub(super) fn cache_headers<'a, V: IntoIterator<Item = &'a [u8]>>(
    accessed: bool,
    hands_out: bool,
    varies_by: [Option<&'static str>; 2],
    vary: impl FnOnce() -> V,
    cache_control: impl FnOnce() -> Option<&'a [u8]>,
) -> CacheHeaders {
    if !accessed && !hands_out {
        return CacheHeaders::default();
    }
    let mut missing = varies_by;
    for said in vary().into_iter().flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        for place in &mut missing {
            place.take_if(|name| said == b"*" || said.eq_ignore_ascii_case(name.as_bytes()));
        }
    }
    let vary = match missing {
        [None, None] => None,
        [Some(name), None] | [None, Some(name)] => Some(Cow::Borrowed(name)),
        [Some(first), Some(second)] => Some(Cow::Owned(format!("{first}, {second}"))),
    };
    let cache_control = match cache_control() {
        None => Some(PRIVATE),
        Some(said) if hands_out && !forbids_storing(said) => Some(PRIVATE),
        Some(_) => None,
    };
    CacheHeaders { vary, cache_control }
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
                [Some("Cookie"), None],
                || vary.iter().map(|line| line.as_bytes()),
                || control.map(str::as_bytes),
            );
            (headers.vary.is_some(), headers.cache_control)
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
        let by = |said: &'static str| {
            let names = [Some("Cookie"), Some("x-session")];
            cache_headers(true, false, names, || [said.as_bytes()], || None).vary
        };
        assert_eq!(by("Accept").as_deref(), Some("Cookie, x-session"));
        assert_eq!(by("X-Session").as_deref(), Some("Cookie"));
        assert_eq!(by("cookie,x-session"), None);
    }
}
