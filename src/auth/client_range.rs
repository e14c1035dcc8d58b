//! Address ranges by which clients without a credential are limited.

use std::net::{IpAddr, Ipv6Addr};

/// A customer's network has this many times the limits of one machine.
const MACHINES: usize = 8;

/// Range of addresses that share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ClientRange {
    /// The addresses of one machine, see [`client_prefix`].
    Machine(IpAddr),
    /// The largest network that a customer commonly gets: a /48 network of IPv6 (RFC 6177), or an IPv4
    /// address.
    Customer(IpAddr),
}

impl ClientRange {
    /// Returns the ranges that an address is in, the smaller one first.
    pub(super) fn of(address: IpAddr) -> [Self; 2] {
        let machine = client_prefix(address);
        let customer = match machine {
            IpAddr::V4(_) => machine,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
        };
        [Self::Machine(machine), Self::Customer(customer)]
    }

    /// Returns the first address of the range.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::Machine(address) | Self::Customer(address) => address,
        }
    }

    /// Returns how many times the limits of one machine the range has.
    pub(super) fn share(self) -> usize {
        match self {
            Self::Machine(_) => 1,
            Self::Customer(_) => MACHINES,
        }
    }
}

/// Returns the address range of one machine: an IPv4 address, or the /64 network of an IPv6 address.
pub fn client_prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            IpAddr::V4,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_count_together() {
        let at = |text: &str| client_prefix(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:127.0.0.1"), at("127.0.0.1"));
    }

    #[test]
    fn a_customer_has_a_network_or_one_address() {
        let customer = |text: &str| ClientRange::of(text.parse().unwrap())[1];
        assert_eq!(customer("2001:db8:1:2::1"), customer("2001:db8:1:3::1"));
        assert_ne!(customer("2001:db8:1::1"), customer("2001:db8:2::1"));
        assert_eq!(customer("203.0.113.1"), ClientRange::Customer([203, 0, 113, 1].into()));
    }
}
