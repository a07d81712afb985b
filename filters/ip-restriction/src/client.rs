//! Finds the address of the client behind trusted proxies.

use crate::forwarded::hops;
use crate::networks::Networks;
use exchange::Head;
use std::net::IpAddr;

/// Returns the address of the client that reached the outermost trusted proxy. The hops are read
/// from the nearest to the farthest. The first one that is not trusted is the client, because
/// anybody can write the hops beyond it. Returns `None` if a trusted proxy reports a hop that
/// cannot be read.
pub(crate) fn client(
    peer: IpAddr,
    head: &Head,
    trusted: &Networks,
    header: &str,
    own_hop: bool,
) -> Option<IpAddr> {
    if !trusted.contain(peer) {
        return Some(peer);
    }
    let mut client = peer;
    let mut hops = hops(head, header)?;
    // Envoy appends the peer to this header. For a peer on its own machine it appends an IPv4
    // address of that machine, other than loopback (envoyproxy/envoy#9127). This address is not a
    // client.
    let own = |hop: &Option<IpAddr>| {
        hop.map(|ip| ip.to_canonical()).is_some_and(|ip| ip.is_ipv4() && !ip.is_loopback())
    };
    if own_hop && header.eq_ignore_ascii_case("x-forwarded-for") && hops.first().is_some_and(own) {
        hops.remove(0);
    }
    for hop in hops {
        client = hop?;
        if !trusted.contain(client) {
            break;
        }
    }
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefix;

    fn found(
        peer: &str,
        trusted: &[&str],
        headers: &[(&str, &str)],
        header: &str,
    ) -> Option<String> {
        let head = headers.iter().copied().collect::<Head>();
        let trusted: Networks = trusted.iter().map(|text| Prefix::parse(text).unwrap()).collect();
        client(peer.parse().unwrap(), &head, &trusted, header, false)
            .map(|client| client.to_string())
    }

    /// envoyproxy/envoy#9127
    #[test]
    fn the_address_that_envoy_appends_for_a_peer_on_its_machine_is_no_client() {
        let found = |value: &str, header: &str| {
            let head = Head::from_iter([(header, value)]);
            let trusted: Networks = ["127.0.0.1", "10.0.0.0/8"]
                .map(|text| Prefix::parse(text).unwrap())
                .into_iter()
                .collect();
            let client = client([127, 0, 0, 1].into(), &head, &trusted, header, true);
            client.map(|client| client.to_string())
        };
        for (value, expected) in [
            ("203.0.113.9, 192.0.2.15", Some("203.0.113.9")),
            ("6.6.6.6, 203.0.113.9, 10.0.0.4, 10.0.2.15", Some("203.0.113.9")),
            ("2001:db8::4, ::ffff:192.0.2.15", Some("2001:db8::4")),
            // The proxy itself sends the request.
            ("192.0.2.15", Some("127.0.0.1")),
            // Another proxy on the machine has written the peer already.
            ("203.0.113.9, 127.0.0.1", Some("203.0.113.9")),
            // Envoy does not write such an address.
            ("203.0.113.9, 2001:db8::4", Some("2001:db8::4")),
            ("203.0.113.9, nonsense", None),
            ("nonsense, 192.0.2.15", None),
        ] {
            assert_eq!(found(value, "X-Forwarded-For").as_deref(), expected, "{value}");
        }
        assert_eq!(found("203.0.113.9, 192.0.2.15", "X-Real-IP").as_deref(), Some("192.0.2.15"));
    }

    #[test]
    fn proxies_are_believed_from_the_right_as_far_as_they_are_trusted() {
        let proxies = &["10.0.0.0/8", "::ffff:192.168.0.1"];
        for (peer, value, expected) in [
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", Some("1.1.1.1")),
            ("10.0.0.1", "1.1.1.1", Some("1.1.1.1")),
            ("10.0.0.1", "1.1.1.1, 192.168.0.1", Some("1.1.1.1")),
            // If all hops are trusted, the farthest one is the client.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", Some("10.0.0.3")),
            // The peer is not a trusted proxy, so its header is ignored.
            ("2.2.2.2", "1.1.1.1", Some("2.2.2.2")),
            ("2.2.2.2", "nonsense", Some("2.2.2.2")),
            ("10.0.0.1", "nonsense", None),
            ("10.0.0.1", "nonsense, 10.0.0.2", None),
            ("10.0.0.1", "nonsense, 1.1.1.1", Some("1.1.1.1")),
            ("10.0.0.1", "", Some("10.0.0.1")),
        ] {
            let headers = [("X-Forwarded-For", value)];
            let found = found(peer, proxies, &headers, "x-forwarded-for");
            assert_eq!(found.as_deref(), expected, "{peer} {value}");
        }
    }

    #[test]
    fn only_the_header_that_is_named_counts() {
        let headers = [
            ("X-Forwarded-For", "1.1.1.1"),
            ("Forwarded", "for=2.2.2.2"),
            ("X-Real-IP", "3.3.3.3"),
        ];
        for (header, expected) in [
            ("X-Forwarded-For", "1.1.1.1"),
            ("Forwarded", "2.2.2.2"),
            ("X-Real-IP", "3.3.3.3"),
            ("X-Other", "10.0.0.1"),
        ] {
            let found = found("10.0.0.1", &["10.0.0.1"], &headers, header);
            assert_eq!(found.as_deref(), Some(expected), "{header}");
        }
    }
}
