//! Which networks an address belongs to, as far as that decides what may be reached, or believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One address or a network in CIDR notation, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((own, width), (other, other_width)) = (bits(self.address), bits(address));
        let shift = u32::from(width - self.prefix);
        width == other_width && own.checked_shr(shift) == other.checked_shr(shift)
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address.to_canonical() {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "an address such as 10.0.0.1, or a network such as 10.0.0.0/8, is needed";
        let (address, prefix) = text.split_once('/').unzip();
        let address: IpAddr = address.unwrap_or(text).parse().map_err(|_| wrong)?;
        let address = address.to_canonical();
        let (_, width) = bits(address);
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| wrong)?;
        (prefix <= width)
            .then_some(Self { address, prefix })
            .ok_or(wrong)
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.prefix)
    }
}

/// Whether an address is one of a cloud metadata service, or link-local.
pub(super) fn is_metadata_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_metadata_v4(address),
        IpAddr::V6(address) => {
            // AWS keeps its instance services in fd00:ec2::/32, Google at fd20:ce::254.
            let segments = address.segments();
            address.is_unicast_link_local()
                || (segments[0], segments[1]) == (0xfd00, 0x0ec2)
                || address == Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)
                || embedded_v4(address).is_some_and(is_metadata_v4)
        }
    }
}

/// 169.254.0.0/16 for nearly every cloud; the others are Alibaba's, Azure's and Oracle's own.
fn is_metadata_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || [
            Ipv4Addr::new(100, 100, 100, 200),
            Ipv4Addr::new(168, 63, 129, 16),
            Ipv4Addr::new(192, 0, 0, 192),
        ]
        .contains(&address)
}

/// Whether an address is not one of the public internet: this machine, a private network (RFC 1918,
/// shared address space, unique local), link-local, or one that no single host has.
pub(super) fn is_private_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => {
            // Site-local is deprecated (RFC 3879), and still routed by some.
            let is_site_local = address.segments()[0] & 0xffc0 == 0xfec0;
            // The local-use prefix of NAT64 is an operator's own, whatever lies behind it.
            let is_local_nat64 = address.segments()[..3] == [0x64, 0xff9b, 1];
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || is_site_local
                || is_local_nat64
                || embedded_v4(address).is_some_and(is_private_v4)
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        // "This network", shared address space (RFC 6598), IETF's own, benchmarks, reserved.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && matches!(b, 18 | 19))
        || a >= 240
}

/// The IPv4 address that a translator or tunnel would take out of an IPv6 one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match [a, b, c, d, e, f] {
        // NAT64, well-known prefix and local-use prefix.
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(v4(g, h)),
        [0x64, 0xff9b, 1, ..] => Some(v4(g, h)),
        // 6to4.
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // IPv4-compatible, and the translated form ::ffff:0:a.b.c.d.
        [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] => Some(v4(g, h)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, is_private_address};

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("2001:db8::/33", "2001:db8:7000::1", true),
            ("::1", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            let found = network.contains(address.parse().unwrap());
            assert_eq!(found, expected, "{address}");
        }
        for text in [
            "",
            "host",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn private_and_public_addresses_are_told_apart() {
        for (address, is_private) in [
            ("10.0.0.1", true),
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.168.0.1", true),
            ("192.169.0.1", false),
            ("127.9.9.9", true),
            ("169.254.1.1", true),
            ("100.63.255.255", false),
            ("100.64.0.0", true),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("0.0.0.0", true),
            ("198.18.0.1", true),
            ("198.20.0.1", false),
            ("224.0.0.251", true),
            ("255.255.255.255", true),
            ("8.8.8.8", false),
            ("::", true),
            ("::1", true),
            ("fe80::1", true),
            ("fec0::1", true),
            ("fc00::1", true),
            ("fdff::1", true),
            ("fe00::1", false),
            ("ff02::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("64:ff9b::a00:1", true),
            ("64:ff9b::808:808", false),
            ("64:ff9b:1::808:808", true),
            ("2002:a00:1::1", true),
            ("2002:808:808::1", false),
            ("2606:4700::1111", false),
        ] {
            let found = is_private_address(address.parse().unwrap());
            assert_eq!(found, is_private, "{address}");
        }
    }
}
