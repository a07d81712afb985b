//! Reads documents in the forms in which hosts deliver them.
//!
//! Kong delivers JSON, or (3.4) a JSON string that contains JSON. Envoy delivers the text of a
//! `StringValue` or `BytesValue`. For a `google.protobuf.Struct` Envoy delivers the serialised
//! message, contrary to its documentation (measured on 1.40); this is read too.

use serde_json::{Map, Number, Value};

/// The greatest depth of nested messages.
const MAX_DEPTH: usize = 64;

/// Reads a document in any of these forms.
///
/// # Errors
/// A message that says what was found, without any of the content.
pub(crate) fn document(bytes: &[u8]) -> Result<Value, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    match json(bytes) {
        Ok(Value::String(inner)) if inner.trim().is_empty() => Ok(Value::Object(Map::new())),
        Ok(Value::String(inner)) => json(inner.as_bytes()),
        Ok(value) => Ok(value),
        // The first byte of a `Struct` with a field is a line feed, which may also begin JSON.
        Err(error) if bytes.first() == Some(&FIELDS) => object(bytes, 0).ok_or(error),
        Err(error) => Err(error),
    }
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("found malformed JSON at line {line} column {column}, expected an object")
    })
}

// === google.protobuf.Struct ===

/// The tag of field 1, length-delimited: `Struct.fields`. An entry of it has a `key` (1) and a
/// `value` (2).
const FIELDS: u8 = 0x0a;

/// Returns the object under `namespace` in a serialised `envoy.config.core.v3.Metadata`. It is
/// empty if there is none. Returns `None` if `bytes` is not such a message.
#[must_use]
pub fn metadata(bytes: &[u8], namespace: &str) -> Option<Map<String, Value>> {
    let mut found = Map::new();
    let mut rest = bytes;
    while let Some((number, field, after)) = next(rest)? {
        rest = after;
        // `filter_metadata` (1) is a map from texts to `Struct`s. `typed_filter_metadata` (2) is
        // ignored.
        let (1, Field::Bytes(entry)) = (number, field) else { continue };
        let (mut key, mut content) = (&[][..], &[][..]);
        let mut inner = entry;
        while let Some((number, field, after)) = next(inner)? {
            inner = after;
            match (number, field) {
                (1, Field::Bytes(text)) => key = text,
                (2, Field::Bytes(bytes)) => content = bytes,
                _ => return None,
            }
        }
        if key == namespace.as_bytes() {
            let Value::Object(map) = object(content, 0)? else { return None };
            found = map;
        }
    }
    Some(found)
}

fn object(bytes: &[u8], depth: usize) -> Option<Value> {
    let mut map = Map::new();
    let mut rest = bytes;
    while let Some((number, field, after)) = next(rest)? {
        rest = after;
        let (1, Field::Bytes(entry)) = (number, field) else { return None };
        let (mut key, mut content) = (String::new(), Value::Null);
        let mut inner = entry;
        while let Some((number, field, after)) = next(inner)? {
            inner = after;
            match (number, field) {
                (1, Field::Bytes(text)) => key = String::from_utf8(text.to_vec()).ok()?,
                (2, Field::Bytes(bytes)) => content = value(bytes, depth.checked_add(1)?)?,
                _ => return None,
            }
        }
        map.insert(key, content);
    }
    Some(Value::Object(map))
}

/// Reads a `google.protobuf.Value`: null (1), number (2), string (3), bool (4), struct (5), list
/// (6).
fn value(bytes: &[u8], depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut read = Value::Null;
    let mut rest = bytes;
    while let Some((number, field, after)) = next(rest)? {
        rest = after;
        read = match (number, field) {
            (1, Field::Varint(_)) => Value::Null,
            (2, Field::Fixed64(bits)) => Value::Number(plain(f64::from_bits(bits))?),
            (3, Field::Bytes(text)) => Value::String(String::from_utf8(text.to_vec()).ok()?),
            (4, Field::Varint(flag)) => Value::Bool(flag != 0),
            (5, Field::Bytes(inner)) => object(inner, depth)?,
            (6, Field::Bytes(inner)) => list(inner, depth)?,
            _ => return None,
        };
    }
    Some(read)
}

/// Converts a double. A whole number becomes an integer, so that messages quote it as the operator
/// wrote it.
fn plain(double: f64) -> Option<Number> {
    // Up to 2^53 a double identifies one whole number.
    let whole = double.fract() == 0.0 && double.abs() <= 9_007_199_254_740_992.0;
    if whole { Some(Number::from(double as i64)) } else { Number::from_f64(double) }
}

fn list(bytes: &[u8], depth: usize) -> Option<Value> {
    let mut items = Vec::new();
    let mut rest = bytes;
    while let Some((number, field, after)) = next(rest)? {
        rest = after;
        let (1, Field::Bytes(item)) = (number, field) else { return None };
        items.push(value(item, depth.checked_add(1)?)?);
    }
    Some(Value::Array(items))
}

enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// Returns the next field of a message, with its number and the bytes after it. Returns
/// `Some(None)` at the end, and `None` if the message is malformed.
#[allow(clippy::option_option)]
fn next(bytes: &[u8]) -> Option<Option<(u64, Field<'_>, &[u8])>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let (tag, rest) = varint(bytes)?;
    let (field, rest) = match tag & 7 {
        0 => varint(rest).map(|(number, rest)| (Field::Varint(number), rest))?,
        1 => {
            let (bits, rest) = rest.split_first_chunk::<8>()?;
            (Field::Fixed64(u64::from_le_bytes(*bits)), rest)
        }
        2 => {
            let (len, rest) = varint(rest)?;
            let (bytes, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            (Field::Bytes(bytes), rest)
        }
        _ => return None,
    };
    Some(Some((tag >> 3, field, rest)))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    let mut rest = bytes;
    for shift in (0..64_u32).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A `Struct` as Envoy 1.40 delivered it: with an object, a number, a list and a boolean.
    const STRUCT: &[u8] = b"\ne\n\x05admin\x12\\*Z\n\x1d\n\x08upstream\x12\x11\x1a\x0fgatehouse-admin\n\x1a\n\rpoll_interval\x12\t\x11\0\0\0\0\0\0\0@\n\x1d\n\tauthority\x12\x10\x1a\x0e127.0.0.1:8001\n\x19\n\tkey_names\x12\x0c2\n\n\x08\x1a\x06apikey\n\x16\n\x10hide_credentials\x12\x02 \x01";

    #[test]
    fn a_struct_is_read_as_envoy_hands_it_over() {
        let expected = json!({
            "admin": {"upstream": "gatehouse-admin", "poll_interval": 2, "authority": "127.0.0.1:8001"},
            "key_names": ["apikey"],
            "hide_credentials": true,
        });
        assert_eq!(document(STRUCT), Ok(expected));
    }

    fn part(tag: u8, bytes: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    #[test]
    fn a_namespace_of_envoys_metadata_is_read_and_the_others_are_not() {
        // The last field of `STRUCT`, which is `hide_credentials: true`.
        let content = &STRUCT[STRUCT.len() - 24..];
        let entry = |name: &str, content: &[u8]| {
            part(0x0a, &[part(0x0a, name.as_bytes()), part(0x12, content)].concat())
        };
        let typed = part(0x12, &part(0x0a, b"gatehouse"));
        let all = [typed, entry("other", b"nonsense"), entry("gatehouse", content)].concat();
        let read = metadata(&all, "gatehouse").unwrap();
        assert_eq!(Value::Object(read), json!({"hide_credentials": true}));
        assert_eq!(metadata(&all, "absent"), Some(Map::new()));
        assert_eq!(metadata(b"", "gatehouse"), Some(Map::new()));
        assert_eq!(metadata(&entry("gatehouse", b"nonsense"), "gatehouse"), None);
        for len in 1..all.len() {
            let cut = metadata(&all[..len], "gatehouse");
            assert!(cut.is_none_or(|map| map.is_empty()), "{len}");
        }
    }

    #[test]
    fn json_is_read_also_after_a_line_feed() {
        assert_eq!(document(b"\n{\"a\":1}"), Ok(json!({"a": 1})));
    }

    #[test]
    fn a_struct_that_is_cut_anywhere_is_malformed_or_another() {
        for len in 1..STRUCT.len() {
            if let Ok(value) = document(&STRUCT[..len]) {
                assert!(value.as_object().unwrap().len() < 3, "{len}");
            }
        }
    }

    #[test]
    fn no_nesting_is_deep_enough_to_overflow() {
        let mut bytes = b"\x1a\x01x".to_vec();
        for _ in 0..10_000 {
            let mut outer = vec![0x32];
            let mut inner = vec![0x0a];
            for (out, len) in [(&mut inner, bytes.len())] {
                let mut len = len;
                while len > 127 {
                    out.push((len & 127) as u8 | 128);
                    len >>= 7;
                }
                out.push(len as u8);
            }
            inner.extend(&bytes);
            let mut len = inner.len();
            while len > 127 {
                outer.push((len & 127) as u8 | 128);
                len >>= 7;
            }
            outer.push(len as u8);
            outer.extend(&inner);
            bytes = outer;
        }
        assert_eq!(value(&bytes, 0), None);
    }

    proptest::proptest! {
        #[test]
        fn no_document_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = document(&[&b"\n"[..], &bytes].concat());
        }
    }
}
