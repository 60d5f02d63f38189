//! Which networks an address belongs to, as far as that decides whether a page may reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
