//! The new path of a request.

use crate::template::{Rendered, Template};
use crate::values::Values;
use exchange::percent_decode;

/// The error of a result that servers do not read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPath;

/// Returns the path that a template makes. Values from the request's path keep their slashes. Any
/// other value is a segment or part of one.
///
/// # Errors
/// [`BadPath`], if a value would lead elsewhere, because of a slash or as a dot segment.
pub(crate) fn path(template: &Template, values: &Values<'_>) -> Result<Vec<u8>, BadPath> {
    let mut path = Vec::new();
    for piece in template.rendered(values) {
        match piece {
            // The operator may write a path in any script.
            Rendered::Own(text) => encode(&mut path, text.as_bytes(), b"%"),
            Rendered::Found(bytes, of_the_path) => {
                let leads = |byte: &u8| {
                    byte.is_ascii_control() || *byte == b'\\' || (*byte == b'/' && !of_the_path)
                };
                if bytes.iter().any(leads) {
                    return Err(BadPath);
                }
                encode(&mut path, &bytes, b"");
            }
        }
    }
    let dots = |segment: &[u8]| matches!(percent_decode(segment).as_slice(), b"." | b"..");
    match path.starts_with(b"/")
        && !path.starts_with(b"//")
        && !path.split(|b| *b == b'/').any(dots)
    {
        true => Ok(path),
        false => Err(BadPath),
    }
}

/// Appends to a path. Characters that RFC 3986 allows in a path, and `besides`, stay as they are;
/// all others are escaped.
fn encode(path: &mut Vec<u8>, bytes: &[u8], besides: &[u8]) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric()
            || b"/-._~!$&'()*+,;=:@".contains(byte)
            || besides.contains(byte)
        {
            path.push(*byte);
        } else {
            path.extend_from_slice(exchange::percent_encode(&[*byte]).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Head, Query, Request, split_target};
    use proptest::prelude::*;
    use regex::bytes::Regex;

    fn made(
        template: &str,
        target: &str,
        headers: &[(&str, &str)],
        pattern: &str,
    ) -> Option<String> {
        let request = Request {
            head: headers.iter().copied().collect::<Head>(),
            target: target.as_bytes().to_vec(),
            ..Request::default()
        };
        let (_, raw) = split_target(target.as_bytes());
        let pattern = Regex::new(pattern).unwrap();
        let values = Values::new(&request, raw.unwrap_or_default(), Some(&pattern), None).ok()?;
        let path = path(&Template::parse(template).unwrap(), &values).ok()?;
        Some(String::from_utf8(path).unwrap())
    }

    #[test]
    fn parts_of_the_old_path_make_the_new_one() {
        let users = r"\A(?:/requests/user1/(?<user1>\w+)/user2/(?<user2>\S+))";
        for (template, target, expected) in [
            (
                "/requests/user2/$(uri_captures.user2)/user1/$(uri_captures.user1)",
                "/requests/user1/foo/user2/bar",
                "/requests/user2/bar/user1/foo",
            ),
            (
                "/x$(uri_captures[0])",
                "/requests/user1/foo/user2/b/c",
                "/x/requests/user1/foo/user2/b/c",
            ),
            ("/x/$(uri_captures.user2)", "/requests/user1/foo/user2/%3fa%23%25", "/x/%3Fa%23%25"),
            ("/requests/tést/%2f", "/", "/requests/t%C3%A9st/%2f"),
            ("/$(uri_captures.user1 or 'nobody')", "/", "/nobody"),
        ] {
            assert_eq!(made(template, target, &[], users).as_deref(), Some(expected), "{template}");
        }
        let optional = "\\A(?:/(gw/)?api/(?<subpath>htest)$)";
        for target in ["/api/htest", "/gw/api/htest"] {
            let path = made("/api/v2/$(uri_captures[\"subpath\"])", target, &[], optional);
            assert_eq!(path.as_deref(), Some("/api/v2/htest"));
        }
    }

    #[test]
    fn a_clients_value_is_a_segment_and_no_more() {
        let path =
            |value: &str| made("/tenants/$(headers.tenant)/x", "/", &[("tenant", value)], "a");
        assert_eq!(path("acme").as_deref(), Some("/tenants/acme/x"));
        assert_eq!(path("a?b#c d%2f;é").as_deref(), Some("/tenants/a%3Fb%23c%20d%252f;%C3%A9/x"));
        assert_eq!(path("a..b").as_deref(), Some("/tenants/a..b/x"));
        for value in ["..", ".", "a/../../admin", "/", "a\\b", "a\r\nb"] {
            assert_eq!(path(value), None, "{value}");
        }
        let whole = |value: &str| made("$(headers.path)", "/", &[("path", value)], "a");
        assert_eq!(
            (whole("x"), whole("/x")),
            (None, None),
            "a path begins with a slash of the operator's"
        );
        let pieces = made("/$(query_params.a)$(query_params.b)/", "/?a=.&b=.", &[], "a");
        assert_eq!(pieces, None, "two halves of a dot segment");
        let found = made("/a/$(uri_captures[1])/b", "/x..y", &[], r"/x(\.\.)y");
        assert_eq!(found, None, "dots cut out of a segment");
        assert_eq!(made("/$(uri_captures[0])", "/x", &[], "/x"), None, "another host, to some");
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_segment(value in ".{0,30}") {
            let query = exchange::percent_encode(value.as_bytes());
            if let Some(path) = made("/a/$(query_params.v)/b", &format!("/?v={query}"), &[], "a") {
                let segments: Vec<&str> = path.split('/').collect();
                prop_assert_eq!(segments.len(), 4);
                prop_assert_eq!((segments[1], segments[3]), ("a", "b"));
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\".contains(&b)));
                prop_assert_eq!(Query::of_target(path.as_bytes()).pairs().count(), 0);
            }
        }
    }
}
