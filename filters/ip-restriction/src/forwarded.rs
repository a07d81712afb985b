//! The hops that proxies report in `X-Forwarded-For`, in similar headers, and in `Forwarded` (RFC
//! 7239).

use crate::prefix::address;
use exchange::Head;
use std::net::IpAddr;

/// The greatest number of hops that are believed.
const MOST: usize = 100;

/// Returns every hop of the header `name`, the nearest first. A hop is `None` if it is not an
/// address. The whole header is rejected if it has more than [`MOST`] hops or is malformed.
pub(crate) fn hops(head: &Head, name: &str) -> Option<Vec<Option<IpAddr>>> {
    let standard = name.eq_ignore_ascii_case("forwarded");
    let mut found = Vec::new();
    for value in head.values(name) {
        let text = std::str::from_utf8(value).ok()?;
        // Empty elements of a list are ignored (RFC 9110, section 5.6.1). On Kong a removed header
        // is an empty one.
        let is_there = |element: &&str| !element.trim().is_empty();
        if standard {
            for element in parts(text, ',')?.into_iter().filter(is_there) {
                found.push(node(element)?.as_deref().and_then(address));
            }
        } else {
            let elements = text.split(',').filter(is_there).take(MOST.saturating_add(1));
            found.extend(elements.map(|hop| address(hop.trim())));
        }
        if found.len() > MOST {
            return None;
        }
    }
    found.reverse();
    Some(found)
}

/// Returns the `for` parameter of an element, or `Some(None)` if there is none.
fn node(element: &str) -> Option<Option<String>> {
    let mut found = None;
    for pair in parts(element, ';')? {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for")
            && found.replace(unquoted(value.trim())?).is_some()
        {
            // RFC 7239 allows each parameter once. With two it is undefined which one counts.
            return None;
        }
    }
    Some(found)
}

/// Splits `text` at each `separator` outside of quotes. Returns `None` if a quote is left open.
fn parts(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut all, mut start) = (Vec::new(), 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                all.push(text.get(start..at)?);
                start = at.checked_add(1)?;
            }
            _ => {}
        }
    }
    all.push(text.get(start..)?);
    (!quoted).then_some(all)
}

/// Returns a token as it is, and a quoted string without its quotes and escapes.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let inside = rest.strip_suffix('"')?;
    let (mut out, mut escaped) = (String::new(), false);
    for c in inside.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            // A second quoted string makes the value malformed.
            '"' if !escaped => return None,
            c => {
                escaped = false;
                out.push(c);
            }
        }
    }
    (!escaped).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(name: &str, values: &[&str]) -> Option<Vec<String>> {
        let head: Head = values.iter().map(|value| (name, *value)).collect();
        let text = |hop: Option<IpAddr>| hop.map_or("?".to_owned(), |address| address.to_string());
        hops(&head, name).map(|hops| hops.into_iter().map(text).collect())
    }

    #[test]
    fn the_nearest_proxys_word_comes_first() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["1.1.1.1"], &["1.1.1.1"]),
            (&["1.1.1.1, 2.2.2.2", "3.3.3.3"], &["3.3.3.3", "2.2.2.2", "1.1.1.1"]),
            (&["::4, ::3"], &["::3", "::4"]),
            (&["1.1.1.1:80 ,[::1]:90"], &["::1", "1.1.1.1"]),
            (&["unknown, 2.2.2.2"], &["2.2.2.2", "?"]),
            // Empty list elements are ignored (RFC 9110), and a header that Kong removed is empty.
            (&["", " , ,1.1.1.1,"], &["1.1.1.1"]),
        ] {
            assert_eq!(told("X-Forwarded-For", values).unwrap(), expected, "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        for (value, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", &["192.0.2.60"][..]),
            ("For=\"[2001:db8:cafe::17]:4711\"", &["2001:db8:cafe::17"]),
            ("for=192.0.2.43, for=198.51.100.17", &["198.51.100.17", "192.0.2.43"]),
            ("for=\"192.0.2.43:80\";host=\"a,b;for=1.1.1.1\"", &["192.0.2.43"]),
            ("for=\"1.1\\.1.1\"", &["1.1.1.1"]),
            ("for=_hidden, for=unknown, by=1.1.1.1", &["?", "?", "?"]),
            ("", &[]),
        ] {
            assert_eq!(told("Forwarded", &[value]).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_header_is_rejected_as_a_whole() {
        for value in [
            "for=\"1.1.1.1",
            "for",
            "for=1.1.1.1;for=2.2.2.2",
            "for=\"1.1.1.1\"x",
            "for=\"1.1.1.1\"\"2.2.2.2\"",
            "for=1.1.1.1\"",
        ] {
            assert_eq!(told("Forwarded", &[value]), None, "{value}");
        }
        assert_eq!(told("X-Forwarded-For", &[&"1.1.1.1,".repeat(101)]), None);
        let bytes: Head = [("x-forwarded-for", &b"\xff"[..])].into_iter().collect();
        assert_eq!(hops(&bytes, "x-forwarded-for"), None);
    }

    proptest! {
        #[test]
        fn no_header_is_a_surprise(value in "[a-z0-9=;,.:\"\\\\ \\[\\]]{0,80}") {
            told("Forwarded", &[&value]);
            told("X-Forwarded-For", &[&value]);
        }
    }
}
