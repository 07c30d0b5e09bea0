//! Whether a request was made to this very machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `host`, with or without a port, is `localhost`, a name below it, or a loopback address.
pub(super) fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|ip| IpAddr::V4(ip).is_loopback())
        || name.parse::<Ipv6Addr>().is_ok_and(|ip| IpAddr::V6(ip).is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine() {
        for host in
            ["localhost", "LOCALHOST:80", "a.localhost:3000", "127.0.0.1", "127.9.9.9:1", "[::1]:80", "[::1]"]
        {
            assert!(is_loopback(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "128.0.0.1",
            "[::2]",
            "127.0.0.1.nip.io",
            "\u{ff}",
        ] {
            assert!(!is_loopback(host.as_bytes()), "{host}");
        }
    }
}
