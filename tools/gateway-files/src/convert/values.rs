//! Reading and writing the values of a configuration.

use serde_norway::{Mapping, Value};

/// Sets a member.
pub(super) fn put(map: &mut Mapping, name: &str, value: impl Into<Value>) {
    map.insert(Value::from(name), value.into());
}

/// Returns a text member.
pub(super) fn text<'a>(map: &'a Mapping, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Returns a text member as a text of its own. A number counts as its digits.
pub(super) fn owned(map: &Mapping, name: &str) -> Option<String> {
    scalar(map.get(name)?).filter(|text| !text.is_empty())
}

/// Returns a text or a number as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns a list of texts. One text counts as a list of one.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Sequence(list)) => list.iter().filter_map(scalar).collect(),
        Some(value) => scalar(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Returns a list of texts as a value.
pub(super) fn list(texts: &[String]) -> Value {
    Value::Sequence(texts.iter().map(|text| Value::from(text.as_str())).collect())
}

/// Makes a mapping of its members.
pub(super) fn map<const N: usize>(members: [(&str, Value); N]) -> Mapping {
    members.into_iter().map(|(name, value)| (Value::from(name), value)).collect()
}

/// Returns a member as a whole number, or `default` if it is none.
pub(super) fn number(map: &Mapping, name: &str, default: u64) -> u64 {
    map.get(name)
        .and_then(|value| value.as_u64().or_else(|| value.as_f64().map(|float| float as u64)))
        .unwrap_or(default)
}

/// Returns `map` as JSON.
pub(super) fn json(map: &Mapping) -> Vec<u8> {
    serde_json::to_vec(map).unwrap_or_default()
}
