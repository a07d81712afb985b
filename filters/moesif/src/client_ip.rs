//! Finds the address of the client in the headers of proxies in front of the gateway.

use exchange::Head;
use std::net::{IpAddr, SocketAddr};

/// The headers that name the client, in order of precedence.
const HEADERS: [&str; 12] = [
    "x-client-ip",
    "x-forwarded-for",
    "cf-connecting-ip",
    "fastly-client-ip",
    "true-client-ip",
    "x-real-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "forwarded-for",
    "forwarded",
    "x-appengine-user-ip",
    "cf-pseudo-ipv4",
];

/// Returns the address in the first of these headers, except in `hidden` ones.
pub(crate) fn forwarded(head: &Head, hidden: impl Fn(&str) -> bool) -> Option<String> {
    // One pass over the head is enough, as usually none of the headers is there.
    let mut found: [Option<IpAddr>; HEADERS.len()] = [None; HEADERS.len()];
    for (name, value) in head.fields() {
        let place = HEADERS.iter().position(|header| name.eq_ignore_ascii_case(header.as_bytes()));
        let Some((slot, name)) = place.and_then(|n| Some((found.get_mut(n)?, HEADERS.get(n)?)))
        else {
            continue;
        };
        if slot.is_none() && !hidden(name) {
            *slot = first_address(&String::from_utf8_lossy(value));
        }
    }
    found.into_iter().flatten().next().map(|address| address.to_string())
}

/// Returns the first address in a list. Other elements (`unknown`, an obfuscated name) are skipped.
fn first_address(list: &str) -> Option<IpAddr> {
    list.split(',').find_map(|element| {
        address(element).or_else(|| {
            // The form of RFC 7239 is for="[2001:db8::1]:443";proto=https
            element.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                if name.trim().eq_ignore_ascii_case("for") { address(value) } else { None }
            })
        })
    })
}

/// Reads an address, with or without port, brackets and quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside
        .unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[(&str, &str)]) -> Option<String> {
        forwarded(&fields.iter().copied().collect(), |_| false)
    }

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        for (value, expected) in [
            ("10.0.0.1, 8.8.8.8", Some("10.0.0.1")),
            ("unknown, 8.8.8.8:443", Some("8.8.8.8")),
            (" 2001:db8::1 ", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("x::y, 2001:db8::zz, 300.1.1.1, 1.2.3.4", Some("1.2.3.4")),
            ("", None),
        ] {
            assert_eq!(found(&[("X-Forwarded-For", value)]).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn the_standard_header_is_read() {
        for (value, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=\"_gazonk\", For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; for=192.0.2.43, for=198.51.100.17", "192.0.2.43"),
        ] {
            assert_eq!(found(&[("forwarded", value)]).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn headers_are_believed_in_order_and_a_later_copy_serves_too() {
        assert_eq!(
            found(&[("x-real-ip", "1.1.1.1"), ("x-client-ip", "2.2.2.2")]).as_deref(),
            Some("2.2.2.2")
        );
        assert_eq!(
            found(&[("x-client-ip", "?"), ("x-real-ip", "1.1.1.1")]).as_deref(),
            Some("1.1.1.1")
        );
        assert_eq!(
            found(&[("x-forwarded-for", "?"), ("x-forwarded-for", "1.1.1.1")]).as_deref(),
            Some("1.1.1.1")
        );
        let head = Head::from_iter([("x-client-ip", "2.2.2.2"), ("x-real-ip", "1.1.1.1")]);
        assert_eq!(forwarded(&head, |name| name == "x-client-ip").as_deref(), Some("1.1.1.1"));
    }
}
