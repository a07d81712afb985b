//! Texts with placeholders: `{{0}}`, `{{plan|none}}`.

use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

/// Replaces a variable without a value.
const UNKNOWN: &str = "UNKNOWN";

/// The greatest number of bytes of values that come into the texts of one response. The collector
/// chooses the values and the texts, and their lengths must not multiply.
const MAX_FILLED: usize = 1 << 18;

/// The bytes of values that may still come into the texts of one response.
#[derive(Debug)]
pub(crate) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(MAX_FILLED))
    }
}

impl Room {
    /// Takes room for a value. Returns `false` if there is not enough.
    fn take(&self, value: &str) -> bool {
        let left = self.0.get().checked_sub(value.len());
        left.inspect(|left| self.0.set(*left)).is_some()
    }
}

/// The variables of a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    /// The names that the rule declares. Without any, no placeholder is replaced.
    pub(crate) declared: &'a HashSet<String>,
    /// The values that are known.
    pub(crate) known: Option<&'a HashMap<String, String>>,
    pub(crate) room: &'a Room,
}

impl Values<'_> {
    /// Replaces the placeholders in `text`. A placeholder that names no declared variable stays.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            match after.split_once("}}").and_then(|(place, tail)| Some((self.value(place)?, tail)))
            {
                Some((value, tail)) => {
                    out.push_str(value);
                    rest = tail;
                }
                None => {
                    out.push_str("{{");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// Replaces the placeholders in all texts of `value`, names included.
    pub(crate) fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(map) => {
                let filled =
                    map.iter().map(|(name, value)| (self.fill(name), self.fill_all(value)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn value<'a>(&'a self, place: &'a str) -> Option<&'a str> {
        let (name, default) = match place.split_once('|') {
            Some((name, default)) => (name.trim(), Some(default.trim())),
            None => (place.trim(), None),
        };
        if !self.declared.contains(name) {
            return None;
        }
        let known = self.known.and_then(|known| known.get(name)).map(String::as_str);
        let known = known.filter(|value| self.room.take(value));
        Some(known.or(default).unwrap_or(UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill(text: &str) -> String {
        let declared = HashSet::from(["0", "plan", "gone"].map(str::to_owned));
        let known = HashMap::from([
            ("0".to_owned(), "a\"b".to_owned()),
            ("plan".to_owned(), "{{0}}".to_owned()),
        ]);
        Values { declared: &declared, known: Some(&known), room: &Room::default() }.fill(text)
    }

    #[test]
    fn places_get_the_value_the_default_or_unknown() {
        assert_eq!(fill("x {{0}}-{{ 0 }} y"), "x a\"b-a\"b y");
        assert_eq!(fill("{{gone|no plan}} {{gone}} {{0|no}} {{gone|}}"), "no plan UNKNOWN a\"b ");
    }

    #[test]
    fn text_that_is_no_declared_placeholder_stays() {
        for text in ["{{other}}", "{{0", "{0}", "}}{{", "{{{{", ""] {
            assert_eq!(fill(text), text);
        }
        assert_eq!(fill("{{ {{0}}"), "{{ a\"b");
        assert_eq!(fill("{{plan}}"), "{{0}}", "a value is not filled in again");
        let none = Values { declared: &HashSet::new(), known: None, room: &Room::default() };
        assert_eq!(none.fill("{{0}}"), "{{0}}");
    }

    #[test]
    fn names_and_values_at_any_depth_are_filled_in() {
        let declared = HashSet::from(["0".to_owned()]);
        let known = HashMap::from([("0".to_owned(), "v".to_owned())]);
        let values = Values { declared: &declared, known: Some(&known), room: &Room::default() };
        let body = json!({"{{0}}": ["{{0}}", 1, null, {"a": "x{{0}}"}]});
        assert_eq!(values.fill_all(&body), json!({"v": ["v", 1, null, {"a": "xv"}]}));
    }

    #[test]
    fn long_values_and_many_placeholders_do_not_multiply() {
        let declared = HashSet::from(["0".to_owned()]);
        let known = HashMap::from([("0".to_owned(), "v".repeat(100_000))]);
        let values = Values { declared: &declared, known: Some(&known), room: &Room::default() };
        let filled = values.fill(&"{{0}}".repeat(1000));
        assert_eq!(filled.len(), 2 * 100_000 + 998 * UNKNOWN.len());
        assert_eq!(values.fill("{{0}}"), UNKNOWN, "all texts of a response share the room");
    }
}
