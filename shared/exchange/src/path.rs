//! Paths of requests, read as the servers behind the gateway read them.

use crate::percent_decode;

/// A decoded path in the two forms in which servers understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The path as a server reads it that resolves `.` and `..` segments.
    pub resolved: Vec<u8>,
    /// The path as a server reads it that keeps `..` segments. It differs from `resolved` only if
    /// there are such segments.
    pub written: Vec<u8>,
}

impl Path {
    /// Reads a raw path without its query. Escapes are decoded once, slashes are merged, path
    /// parameters (`;v=1`, also as `%3B`) are removed from each segment as servlet containers do,
    /// and dot segments are resolved (RFC 3986, section 6.2.2).
    ///
    /// Returns `None` if two servers can read the path differently. That is a path with any of
    /// these: an invalid escape or one that an escape hides (`%2561`), an escaped slash, a
    /// backslash, a control character, bytes that are not UTF-8 (some servers take an overlong form
    /// for a slash), dot segments with parameters, dot segments that lead above the root, and `..`
    /// beside a dot segment with escapes, since some servers resolve the one and keep the other.
    ///
    /// ```
    /// let path = exchange::Path::read(b"/a/./b;v=1//c").unwrap();
    /// assert_eq!(path.resolved, b"/a/b/c");
    /// assert_eq!(exchange::Path::read(b"/a%2Fb"), None);
    /// ```
    #[must_use]
    pub fn read(raw: &[u8]) -> Option<Self> {
        if !is_plain(raw) || mixes_dots(raw) {
            return None;
        }
        let decoded = percent_decode(raw);
        let odd = |byte: &u8| *byte == b'\\' || byte.is_ascii_control();
        if decoded.first() != Some(&b'/')
            || decoded.iter().any(odd)
            || decoded.windows(3).any(is_escape)
            || std::str::from_utf8(&decoded).is_err()
        {
            return None;
        }
        let (mut resolved, mut written): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
        let mut ends_open = false;
        for whole in decoded.split(|byte| *byte == b'/') {
            let segment = whole.split(|byte| *byte == b';').next().unwrap_or_default();
            ends_open = segment.is_empty();
            match segment {
                b"." | b".." if segment != whole => return None,
                b"" | b"." => continue,
                b".." => {
                    resolved.pop()?;
                }
                _ => resolved.push(segment),
            }
            written.push(segment);
        }
        let join = |segments: Vec<&[u8]>| {
            let mut path: Vec<u8> = segments.iter().flat_map(|s| [b"/", *s].concat()).collect();
            if path.is_empty() || ends_open {
                path.push(b'/');
            }
            path
        };
        Some(Self { resolved: join(resolved), written: join(written) })
    }

    /// Returns `true` if the path equals `prefix` or lies below it, in either form.
    #[must_use]
    pub fn is_below(&self, prefix: &[u8]) -> bool {
        let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
        [&self.resolved, &self.written].into_iter().any(|path| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }
}

/// Splits a raw request target at its first `?` into path and query (RFC 3986, section 3.4). The
/// query does not include the `?`. It is `None` if the target has no `?`.
#[must_use]
pub fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => {
            let (path, query) = target.split_at(at);
            (path, query.get(1..))
        }
        None => (target, None),
    }
}

/// Returns the path of a raw request target: everything before the first `?` or `#`. A `#` begins a
/// fragment, which clients ought not to send; some servers cut it off.
#[must_use]
pub fn path_of(target: &[u8]) -> &[u8] {
    let (path, _) = split_target(target);
    path.split(|byte| *byte == b'#').next().unwrap_or_default()
}

/// Reads a raw path as a server does that resolves dot segments. Returns `None` for the paths that
/// [`Path::read`] rejects.
#[must_use]
pub fn normalise(raw: &[u8]) -> Option<Vec<u8>> {
    Path::read(raw).map(|path| path.resolved)
}

/// Returns `true` if every `%` begins an escape, and no escape stands for a slash.
fn is_plain(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let escape = rest.get(..2).unwrap_or_default();
            let hex = escape.len() == 2 && escape.iter().all(u8::is_ascii_hexdigit);
            if !hex || escape.eq_ignore_ascii_case(b"2f") {
                return false;
            }
        }
    }
    true
}

/// Returns `true` if a segment is `..`, and another one is a dot segment with an escape.
fn mixes_dots(raw: &[u8]) -> bool {
    let segments = || raw.split(|byte| *byte == b'/');
    let escaped = |segment: &[u8]| {
        segment.contains(&b'%') && matches!(&*percent_decode(segment), b"." | b"..")
    };
    segments().any(|segment| segment == b"..") && segments().any(escaped)
}

fn is_escape(three: &[u8]) -> bool {
    matches!(three, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<String> {
        normalise(raw.as_bytes()).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn a_path_is_read_as_most_servers_read_it() {
        for (raw, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//%61//./b/../c", "/a/c"),
            ("/caf%C3%A9", "/café"),
            ("/100%25", "/100%"),
            ("/a%20b%3Fc", "/a b?c"),
        ] {
            assert_eq!(read(raw).as_deref(), Some(path), "{raw}");
        }
    }

    #[test]
    fn a_target_is_split_at_its_first_question_mark() {
        for (target, path, query) in [
            ("/a?b=1", "/a", Some("b=1")),
            ("/a?b?c", "/a", Some("b?c")),
            ("/a?", "/a", Some("")),
            ("/a", "/a", None),
            ("?", "", Some("")),
            ("", "", None),
            ("/a#b?c", "/a#b", Some("c")),
        ] {
            let expected = (path.as_bytes(), query.map(str::as_bytes));
            assert_eq!(split_target(target.as_bytes()), expected, "{target}");
        }
    }

    #[test]
    fn a_path_ends_before_a_query_or_a_fragment() {
        for (target, path) in
            [("/a#b?c", "/a"), ("/a?b#c", "/a"), ("/a", "/a"), ("#", ""), ("", "")]
        {
            assert_eq!(path_of(target.as_bytes()), path.as_bytes(), "{target}");
        }
    }

    #[test]
    fn path_parameters_are_taken_off_each_segment() {
        for raw in
            ["/admin;v=1/users", "/admin;/users;x;y", "/admin%3Bv=1/users", "/;a/admin%3b/users"]
        {
            assert_eq!(read(raw).as_deref(), Some("/admin/users"), "{raw}");
        }
        assert_eq!(read("/admin/;v=1").as_deref(), Some("/admin/"));
        assert_eq!(read("/;v=1").as_deref(), Some("/"));
    }

    #[test]
    fn a_path_that_servers_read_differently_is_rejected() {
        for raw in [
            "",
            "*",
            "api",
            "/%",
            "/%4",
            "/%zz",
            "/a%2fb",
            "/a%2Fb",
            "/a\\b",
            "/a%5Cb",
            "/a%00b",
            "/a\0b",
            "/a%0ab",
            "/%2561dmin",
            "/a%252fb",
            "/a%255cb",
            "/%252e%252e/x",
            "/%25%36%31dmin",
            "/%c0%afadmin",
            "/%c0%ae%c0%ae/x",
            "/caf%e9",
            "/..",
            "/../x",
            "/a/..;/x",
            "/a/..;v=1/x",
            "/a/.;/x",
            "/a/%2e%2e%3bv/x",
            "/x/../retired/%2e%2e",
            "/a/%2E/../b",
            "/%u0061dmin",
        ] {
            assert_eq!(read(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn a_path_with_dots_is_below_what_either_kind_of_server_takes_it_for() {
        let below = |raw: &str, prefix: &str| {
            Path::read(raw.as_bytes()).unwrap().is_below(prefix.as_bytes())
        };
        for (raw, prefix, expected) in [
            ("/api", "/api/", true),
            ("/api/x", "/api", true),
            ("/apix", "/api", false),
            ("/x/../api/y", "/api", true),
            ("/api/../x", "/api", true),
            ("/api/../x", "/x", true),
            ("/x/api", "/api", false),
            ("/anything", "/", true),
        ] {
            assert_eq!(below(raw, prefix), expected, "{raw} {prefix}");
        }
    }
}
