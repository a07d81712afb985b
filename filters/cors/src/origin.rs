//! Origins: scheme, host and port. The port is left out if it is the scheme's default.

/// An origin (RFC 6454), as a browser sends it in `Origin` or an operator configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The whole origin, such as `https://example.com:8443`. A text that is not a URL stays as it
    /// is.
    pub(crate) whole: String,
    /// The host, such as `example.com`. It equals `whole` if that is not a URL.
    pub(crate) host: String,
}

/// The greatest length of an origin in bytes. A host name has at most 253 characters (RFC 1035,
/// section 2.3.4), so that a browser sends no longer one. The time of an expression grows with the
/// length, and a client chooses it.
const LONGEST: usize = 320;

impl Origin {
    /// Reads an origin as Kong does. It contains only visible ASCII, because it is written into a
    /// header.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let as_it_is = || Self { whole: text.to_owned(), host: text.to_owned() };
        Some(Self::of_url(text).unwrap_or_else(as_it_is))
    }

    fn of_url(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let is_scheme = letters.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address do not begin a port.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (place, None),
        };
        if !is_scheme || host.is_empty() {
            return None;
        }
        let own = |port: &&str| {
            port.is_empty() || matches!((scheme, *port), ("http", "80") | ("https", "443"))
        };
        let port = port.filter(|port| !own(port));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self { whole: format!("{scheme}://{host}{port}"), host: host.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_own_port_and_what_is_no_part_of_an_origin_go() {
        for (text, whole, host) in [
            ("http://foo.test", "http://foo.test", "foo.test"),
            ("http://foo.test:80", "http://foo.test", "foo.test"),
            ("https://foo.test:443", "https://foo.test", "foo.test"),
            ("https://foo.test:80", "https://foo.test:80", "foo.test"),
            ("http://foo.test:8000/a?b#c", "http://foo.test:8000", "foo.test"),
            ("http://user:secret@foo.test", "http://foo.test", "foo.test"),
            ("http://[::1]:3000", "http://[::1]:3000", "[::1]"),
            ("http://[::1]", "http://[::1]", "[::1]"),
            ("moz-extension://1-2", "moz-extension://1-2", "1-2"),
            // These are not URLs.
            ("example.test", "example.test", "example.test"),
            ("example.test:8000", "example.test:8000", "example.test:8000"),
            ("null", "null", "null"),
            ("://x", "://x", "://x"),
            ("http://", "http://", "http://"),
            ("http://?foo.test", "http://?foo.test", "http://?foo.test"),
        ] {
            let origin = Origin::parse(text.as_bytes()).unwrap();
            assert_eq!((origin.whole.as_str(), origin.host.as_str()), (whole, host), "{text}");
        }
    }

    #[test]
    fn text_that_cannot_stand_in_a_header_is_no_origin() {
        for bytes in [
            &b""[..],
            b" ",
            b"http://a b",
            b"http://a\r\nX: 1",
            b"http://a\0",
            b"http://\xff",
            "http://é".as_bytes(),
        ] {
            assert_eq!(Origin::parse(bytes), None, "{bytes:?}");
        }
        let long = |more| format!("http://{}", "a".repeat(LONGEST - 7 + more));
        assert!(Origin::parse(long(0).as_bytes()).is_some());
        assert_eq!(Origin::parse(long(1).as_bytes()), None);
    }
}
