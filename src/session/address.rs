//! How much of a client's address is kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is kept of the address that a user signs in from, for the list of his sessions. What is not kept can't
/// leak: the rest never reaches the store by this way. The audit trail has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ListedAddress {
    /// The network: `203.0.113.0/24`, `2001:db8:0:1::/64`. Enough to know home from abroad.
    #[default]
    Network,
    /// The whole address, which is personal data.
    Whole,
    /// Nothing.
    Nothing,
}

impl ListedAddress {
    pub(crate) fn of(self, ip: IpAddr) -> Option<String> {
        // An IPv4 client of a socket that listens on IPv6.
        match (self, ip.to_canonical()) {
            (Self::Nothing, _) => None,
            (Self::Whole, ip) => Some(ip.to_string()),
            (Self::Network, IpAddr::V4(ip)) => {
                Some(format!("{}/24", Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8))))
            }
            (Self::Network, IpAddr::V6(ip)) => {
                Some(format!("{}/64", Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_network_is_kept_unless_told_otherwise() {
        let of = |detail: ListedAddress, ip: &str| detail.of(ip.parse().unwrap());
        let network = ListedAddress::default();
        assert_eq!(of(network, "203.0.113.77").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(of(network, "::ffff:203.0.113.77").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(of(network, "2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(of(ListedAddress::Whole, "2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(of(ListedAddress::Nothing, "203.0.113.77"), None);
    }
}
