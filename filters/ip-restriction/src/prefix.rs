//! One network, in CIDR notation.

use std::net::{IpAddr, Ipv6Addr};

/// A network, or a single address. An IPv4 network in IPv6 notation (`::ffff:10.0.0.0/104`) equals
/// the IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    family: Family,
    /// The bits of the address, the first bit highest. Bits beyond the length are zero.
    bits: u128,
    length: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Prefix {
    /// Reads a network such as `10.0.0.0/8`, `10.1.2.3` or `2001:db8::/32`. Bits of the address
    /// beyond the length are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(whole(length)?)),
            None => (text, None),
        };
        let (family, bits, most) = match address.parse().ok()? {
            IpAddr::V4(address) => (Family::V4, u128::from(u32::from(address)) << 96, 32),
            IpAddr::V6(address) => (Family::V6, u128::from(address), 128),
        };
        let length = length.unwrap_or(most);
        (length <= most).then(|| Self { family, bits: masked(bits, length), length }.unmapped())
    }

    /// Makes the network that contains one address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => {
                Self { family: Family::V4, bits: u128::from(u32::from(address)) << 96, length: 32 }
            }
            IpAddr::V6(address) => {
                Self { family: Family::V6, bits: u128::from(address), length: 128 }.unmapped()
            }
        }
    }

    fn unmapped(self) -> Self {
        const MAPPED: u128 = 0xffff << 32;
        match self.length.checked_sub(96) {
            Some(length) if self.family == Family::V6 && masked(self.bits, 96) == MAPPED => {
                Self { family: Family::V4, bits: self.bits << 96, length }
            }
            _ => self,
        }
    }

    pub(crate) fn family(self) -> Family {
        self.family
    }

    pub(crate) fn bits(self) -> u128 {
        self.bits
    }

    pub(crate) fn length(self) -> u8 {
        self.length
    }

    /// Returns `true` if this network contains all addresses of `other`.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.family == other.family
            && self.length <= other.length
            && masked(other.bits, self.length) == self.bits
    }
}

/// Reads digits without a sign. A leading zero is refused, because some readers take it for octal.
fn whole(text: &str) -> Option<u8> {
    let plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

/// Keeps the first `length` bits.
pub(crate) fn masked(bits: u128, length: u8) -> u128 {
    match 128_u32.checked_sub(u32::from(length)) {
        Some(rest) => bits.checked_shr(rest).and_then(|b| b.checked_shl(rest)).unwrap_or(0),
        None => bits,
    }
}

/// Converts an IPv4 address in IPv6 notation to plain IPv4, as messages show it.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(mapped) => mapped.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Reads an address, with or without a port and in brackets or not, as peers and proxies write it.
/// A name is refused, and so is a zone (`fe80::1%eth0`), which has a meaning on one machine only.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let found = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            let port_is_one = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            IpAddr::V6(inside.parse::<Ipv6Addr>().ok().filter(|_| port_is_one)?)
        }
        None => match text.split_once(':') {
            // One colon separates an IPv4 address from a port.
            Some((address, port)) if is_port(port) && address.contains('.') => {
                IpAddr::V4(address.parse().ok()?)
            }
            _ => text.parse().ok()?,
        },
    };
    Some(plain(found))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn addresses_and_networks_are_read_as_kong_reads_them() {
        for (text, same) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("127.0.0.1/8", "127.0.0.0/8"),
            ("0.0.0.0/0", "1.2.3.4/0"),
            ("::1", "::1/128"),
            ("fe80::/8", "fe12::1/8"),
            ("::/0", "ffff::/0"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(prefix(text), prefix(same), "{text}");
        }
        // This is shorter than the bits that all of IPv4 shares, so it is an IPv6 network.
        assert_ne!(prefix("::/0"), prefix("0.0.0.0/0"));
        assert_eq!(prefix("::ffff:0:0/95").family(), Family::V6);
    }

    #[test]
    fn anything_else_is_no_network() {
        for text in [
            "",
            "hello",
            "0.0.0.0/a",
            "0.0.0.0/-1",
            "0.0.0.0/+1",
            "0.0.0.0/33",
            "0.0.0.0/",
            "0.0.0.0/08",
            "::/a",
            "::/-1",
            "::/129",
            "::1/999",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4 ",
            "[::1]",
            "fe80::1%eth0",
            "1.2.3.4/8/8",
            "10.0.0.0/8,::/0",
        ] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_may_come_with_a_port() {
        for (text, found) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("1.2.3.4:80", Some("1.2.3.4")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("[::1]:80", Some("::1")),
            ("::ffff:1.2.3.4", Some("1.2.3.4")),
            ("[::ffff:1.2.3.4]:80", Some("1.2.3.4")),
            ("1:2:3:4:5:6:7:8", Some("1:2:3:4:5:6:7:8")),
            ("1.2.3.4:", None),
            ("1.2.3.4:x", None),
            ("1.2.3.4:65536", None),
            ("1.2.3.4:+80", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[1.2.3.4]", None),
            ("fe80::1%1", None),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
            (" 1.2.3.4", None),
        ] {
            assert_eq!(address(text).map(|a| a.to_string()).as_deref(), found, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_in_every_network_that_is_made_of_its_own_bits(bits: u128, length in 0_u8..=128) {
            let address = Ipv6Addr::from(bits);
            let network = prefix(&format!("{address}/{length}"));
            prop_assume!(address.to_ipv4_mapped().is_none());
            prop_assert!(network.covers(Prefix::of(address.into())));
            prop_assert!(network.covers(network));
            // An address that differs within the length is not in the network.
            if let Some(at) = length.checked_sub(1) {
                let other = Ipv6Addr::from(bits ^ (1 << (127 - at)));
                prop_assert!(!network.covers(Prefix::of(other.into())));
            }
        }

        #[test]
        fn no_text_is_a_surprise(text in ".{0,60}") {
            let _ = Prefix::parse(&text);
            address(&text);
        }
    }
}
