//! Percent-encoded text in paths, queries and forms: strict decoding, and encoding.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// Decodes percent-encoded text exactly once. The error is the problem: a `%` without two hex
/// digits, or bytes that are not UTF-8.
pub(crate) fn decoded(encoded: &[u8]) -> Result<String, &'static str> {
    for (at, _) in encoded.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let digits = encoded.get(at.saturating_add(1)..at.saturating_add(3));
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err("a `%` must be followed by two hex digits");
        }
    }
    let decoded = percent_decode(encoded).decode_utf8();
    decoded.map(Into::into).map_err(|_| "it is not UTF-8")
}

/// Parses a form or a query into names and values, where `+` is a space.
pub(crate) fn pairs(encoded: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    let spaces = |part: &[u8]| -> Vec<u8> {
        part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
    };
    encoded
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next(), halves.next());
            let half = |half: Option<&[u8]>| decoded(&spaces(half.unwrap_or_default()));
            Ok((half(name)?, half(value)?))
        })
        .collect()
}

/// Encodes names and values as a query. The names must need no encoding.
pub(crate) fn query(pairs: &[(&str, String)]) -> String {
    let encoded = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    encoded.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_exactly_once() {
        assert_eq!(decoded(b"a%2Fb%252Fc%00").unwrap(), "a/b%2Fc\0");
        assert_eq!(decoded(b"..").unwrap(), "..");
        assert_eq!(decoded(b"a+b").unwrap(), "a+b");
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for encoded in [&b"%"[..], b"a%2", b"%zz", b"%%41", b"%ff", b"%c3"] {
            assert!(decoded(encoded).is_err(), "{encoded:?}");
        }
    }

    #[test]
    fn a_form_has_spaces_and_values_that_hold_equals_signs() {
        let pairs = pairs(b"a=b+c&d=e=f&&g&h=%26").unwrap();
        let expected = [("a", "b c"), ("d", "e=f"), ("g", ""), ("h", "&")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_query_reads_back_as_it_was_written() {
        let written = query(&[("a", "x y&z=%/ä".into()), ("b", String::new())]);
        let read = pairs(written.as_bytes()).unwrap();
        assert_eq!(read, [("a".into(), "x y&z=%/ä".into()), ("b".into(), String::new())]);
    }
}
