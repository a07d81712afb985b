//! Networks and addresses.

use gatehouse_ip_restriction::{Networks, Prefix};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Lines of networks, and addresses after the byte 0x1e: as text, or in 4 or 16 bytes.
pub fn networks(data: &[u8]) {
    let mut sections = crate::input::sections(data);
    let text = String::from_utf8_lossy(sections.next().unwrap_or_default());
    let prefixes: Vec<Prefix> = text.lines().filter_map(Prefix::parse).collect();
    for line in text.lines() {
        let address = line.split('/').next().unwrap_or_default();
        let known = address.parse::<IpAddr>().is_ok();
        assert!(known || Prefix::parse(line).is_none(), "{line:?} is no network");
    }
    let all: Networks = prefixes.iter().copied().collect();
    assert_eq!(all.is_empty(), prefixes.is_empty());
    for section in sections {
        let four = <[u8; 4]>::try_from(section).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
        let sixteen = <[u8; 16]>::try_from(section).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
        let written = std::str::from_utf8(section).ok().and_then(|text| text.parse().ok());
        let Some(address) = four.ok().or(sixteen.ok()).or(written) else { continue };
        // The trie agrees with a look at each network, and with the definition of a network.
        let one_by_one = prefixes.iter().any(|prefix| prefix.covers(Prefix::of(address)));
        assert_eq!(all.contain(address), one_by_one, "{address} in {text}");
        let by_definition = text.lines().any(|line| contains(line, address));
        assert_eq!(one_by_one, by_definition, "{address} in {text}");
    }
}

/// Compares bit by bit what a line says, in IPv6 notation for both families.
fn contains(line: &str, address: IpAddr) -> bool {
    if Prefix::parse(line).is_none() {
        return false;
    }
    let (network, length) = line.split_once('/').unwrap_or((line, ""));
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let most: u32 = if network.is_ipv4() { 32 } else { 128 };
    let length = length.parse().unwrap_or(most) + 128 - most;
    // An IPv6 network that is larger than all of IPv4 does not contain IPv4 addresses.
    let is_v4 = |bits: u128| bits >> 32 == 0xffff;
    let (network, address) = (bits(network), bits(address));
    if is_v4(address) && length < 96 {
        return false;
    }
    (0..length).all(|bit| (network ^ address) >> (127 - bit) & 1 == 0)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}
