//! The entries for the fuzzer: bodies, and the documents of Moesif's collector.

use crate::gzip::{gunzip, gzip, inflate};
use crate::json::{check, scalars_at};
use crate::mask::{MASKED, Masks};
use crate::rules::Rules;
use crate::sampling::AppConfig;
use serde_json::Value;
use std::collections::HashSet;

/// The limit for a body that is decompressed, in bytes.
const LIMIT: usize = 1 << 16;

/// Reads `bytes` as a JSON body.
///
/// # Panics
/// Panics, for the fuzzer to find, if the scanner accepts what `serde_json` refuses, or refuses
/// what every reader accepts; if a masked member is left; or if anything else is changed.
pub fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let masks = Masks::new(["password".to_owned(), "x-key".to_owned()]);
    let read = serde_json::from_str::<Value>(text);
    let cut = masks.json(text);
    assert_eq!(check(text).is_ok(), cut.is_ok());
    match (&read, check(text)) {
        (Ok(value), Err(_)) => assert!(depth(value) > 90, "every reader accepts it"),
        (read, Ok(())) => assert!(read.is_ok(), "serde_json refuses it"),
        (Err(_), Err(_)) => {}
    }
    let (Ok(mut value), Ok(cut)) = (read, cut) else { return };
    remove(&masks, &mut value);
    assert_eq!(serde_json::from_str::<Value>(&cut).ok(), Some(value));
    let wanted = HashSet::from(["a", "a.b", "password"]);
    assert!(scalars_at(text, &wanted).is_ok());
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(map) => map.values().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0).saturating_add(1)
}

fn remove(masks: &Masks, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| remove(masks, item)),
        Value::Object(map) => {
            map.retain(|name, _| !masks.cover(name));
            map.values_mut().for_each(|value| remove(masks, value));
        }
        _ => {}
    }
}

/// Reads `bytes` as a compressed body, and as a form.
///
/// # Panics
/// Panics, for the fuzzer to find, if a result is longer than the limit, or what was compressed
/// does not come out again, or a masked field is left.
pub fn bodies(bytes: &[u8]) {
    for out in [gunzip(bytes, LIMIT), inflate(bytes, LIMIT)].into_iter().flatten() {
        assert!(out.len() <= LIMIT);
    }
    assert_eq!(gunzip(&gzip(bytes), LIMIT).as_deref(), Some(bytes));
    let masks = Masks::new(["password".to_owned()]);
    let form = masks.form(bytes);
    assert!(form.len() <= bytes.len());
    let left = exchange::Query::new(&form).pairs().any(|(name, _)| masks.cover(&lossy(&name)));
    assert!(!left, "a masked field is left");
    assert_eq!(masks.form(&form), form, "nothing more is to be removed");
    // A masked parameter of a URI has no byte of its value left, up to the end of the parameter.
    for target in [masks.query(bytes), masks.queries(bytes)] {
        let whole = target.split(|byte| *byte == b'#').next().unwrap_or_default();
        for (name, value) in exchange::Query::of_target(whole).pairs() {
            let hidden = value.is_none_or(|value| value.starts_with(MASKED));
            assert!(hidden || !masks.cover(&lossy(&name)), "a masked value is left");
        }
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Reads `bytes` as the documents `/v1/config` and `/v1/rules`.
///
/// # Panics
/// Panics, for the fuzzer to find, if a document is read that is no JSON.
pub fn documents(bytes: &[u8]) {
    let is_json = serde_json::from_slice::<Value>(bytes).is_ok();
    if let Ok(config) = AppConfig::read(bytes) {
        assert!(is_json);
        let _ = (config.is_known_early(), config.body_paths().len());
    }
    if let Ok(rules) = Rules::read(bytes) {
        assert!(is_json);
        let _ = (rules.is_empty(), rules.body_paths().len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_body_and_no_document_is_a_reason_to_stumble(text in "[\\[\\]{}:,\"\\\\a-e0-9.+= ;&%-]{0,60}|\\{\"password\": ?[0-9\\[{\"]*.*") {
            super::json(text.as_bytes());
            super::bodies(text.as_bytes());
            super::documents(text.as_bytes());
        }
    }
}
