//! Address filter against SSRF: allows public addresses, and private networks from the settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// IPv4 special-purpose networks of the IANA registry, and a cloud metadata address that is not in it.
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),        // this network, unspecified
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's WireServer, which serves secrets to VMs
    v4(169, 254, 0, 0, 16),   // link-local, with the metadata services of other clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocols
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarking
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// IPv6 global unicast. Loopback, link-local, unique-local, site-local and multicast are outside.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Special-purpose networks within [`GLOBAL_V6`].
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),     // protocols: Teredo, benchmarking, ORCHID
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4
    v6(0x3fff, 0, 20),     // documentation
];

/// NAT64: IPv4 addresses embedded in IPv6 (RFC 6052).
const TRANSLATED: Ipv6Net = v6(0x64, 0xff9b, 96);

/// Filter for addresses that may be connected to.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Allowed networks that are not public.
    pub allowed: Vec<IpNet>,
    /// Whether public hosts are reached at the ports of the web only. Allowed networks are reached at all.
    pub web_ports_only: bool,
}

impl Reach {
    /// Returns whether an address may be connected to.
    pub fn has(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let is_of_web = !self.web_ports_only || matches!(port, 80 | 443);
        (is_public(ip) && is_of_web) || self.allowed.iter().any(|network| network.contains(&ip))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if TRANSLATED.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(reach: &Reach, address: &str) -> bool {
        reach.has(SocketAddr::new(address.parse().unwrap(), 80))
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.17",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(has(&Reach::default(), address), "{address}");
        }
    }

    #[test]
    fn no_other_address_is() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::1.1.1.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:0:1:2:3:4:5:6",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!has(&Reach::default(), address), "{address}");
        }
    }

    #[test]
    fn networks_that_are_set_are_reached_in_all_their_forms() {
        let networks = ["10.1.0.0/16", "::1/128", "fd00:1::/32"];
        let allowed = networks.map(|network| network.parse().unwrap()).into();
        let reach = Reach { allowed, web_ports_only: true };
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "::1", "fd00:1::5"] {
            assert!(has(&reach, address), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "fd00:2::5", "64:ff9b::10.1.2.3"] {
            assert!(!has(&reach, address), "{address}");
        }
    }

    #[test]
    fn other_ports_are_reached_in_allowed_networks_only() {
        let allowed = vec!["10.1.0.0/16".parse().unwrap()];
        let reach = Reach { allowed, web_ports_only: true };
        for (address, is_reached) in
            [("1.1.1.1:80", true), ("1.1.1.1:443", true), ("1.1.1.1:22", false), ("10.1.0.1:22", true)]
        {
            assert_eq!(reach.has(address.parse().unwrap()), is_reached, "{address}");
        }
    }
}
