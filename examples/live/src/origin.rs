//! Whose page asks for a WebSocket.

/// A handshake is a GET that carries the cookie and that no CORS rule holds back, so that any page could open a
/// WebSocket in its visitor's name and read along (cross-site WebSocket hijacking). `SameSite` stops other sites, but
/// not a page of another subdomain or port. `Origin` is what a page can't forge.
///
/// A request without one is refused, too: every browser sends it, and what is no browser can send it as well.
pub fn is_ours(ours: &str, origins: &[&[u8]]) -> bool {
    matches!(origins, [origin] if *origin == ours.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_the_very_origin_is_ours() {
        let ours = "https://shop.example";
        assert!(is_ours(ours, &[b"https://shop.example"]));
        for other in [
            "",
            "null",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evil.example/https://shop.example",
            "https://blog.shop.example",
        ] {
            assert!(!is_ours(ours, &[other.as_bytes()]), "{other}");
        }
        assert!(!is_ours(ours, &[]));
        assert!(!is_ours(ours, &[b"https://shop.example", b"https://shop.example"]));
    }
}
