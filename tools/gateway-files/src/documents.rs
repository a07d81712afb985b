//! YAML and JSON files: their documents, and the places of values in them.

use serde::Deserialize as _;
use serde_norway::Value;
use std::fmt;

/// Reads all documents of a file, which is JSON, or YAML with one or more documents. Anchors and
/// merge keys (`<<`) are resolved. Empty documents are left out.
///
/// # Errors
/// A message with the line, if the text is neither YAML nor JSON.
pub fn read(text: &str) -> Result<Vec<Value>, String> {
    // A tab indents JSON and never YAML.
    if text.trim_start().starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return Ok(vec![value]);
    }
    let mut all = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let mut value = Value::deserialize(document).map_err(|error| error.to_string())?;
        value.apply_merge().map_err(|error| error.to_string())?;
        if !value.is_null() {
            all.push(value);
        }
    }
    Ok(all)
}

/// The place of a value in a document, such as `services[0].plugins[1].config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(String);

impl Place {
    /// Returns the place of the member `name`. A name that is no plain word is written `["name"]`.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            return Self(format!("{}[{name:?}]", self.0));
        }
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{name}", self.0))
    }

    /// Returns the place of the item with this number, from 0.
    #[must_use]
    pub fn item(&self, number: usize) -> Self {
        Self(format!("{}[{number}]", self.0))
    }

    /// Returns the place that `path` names below this one. `path` is in the form of the filters'
    /// own messages, such as `consumers[0].username`, and may be empty.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let dot =
            if self.0.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
        Self(format!("{}{dot}{path}", self.0))
    }

    /// Returns the place as text. It is empty for the whole document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the first member of `value` that has one of these names. Protobuf's JSON knows each
/// field by two names.
#[must_use]
pub fn member<'a>(value: &'a Value, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| value.get(*name).map(|found| (*name, found)))
}

/// Returns the text of the first member that has one of these names.
#[must_use]
pub fn text<'a>(value: &'a Value, names: &[&'static str]) -> Option<&'a str> {
    member(value, names)?.1.as_str()
}

/// Calls `visit` for `value` and everything in it. `visit` returns `false` to leave out what is
/// inside of a value.
pub fn walk<'a>(value: &'a Value, place: &Place, visit: &mut dyn FnMut(&'a Value, &Place) -> bool) {
    if !visit(value, place) {
        return;
    }
    match value {
        Value::Mapping(map) => {
            for (name, inner) in map {
                let name = name.as_str().map_or_else(|| format!("{name:?}"), str::to_owned);
                walk(inner, &place.member(&name), visit);
            }
        }
        Value::Sequence(list) => {
            for (number, inner) in list.iter().enumerate() {
                walk(inner, &place.item(number), visit);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let documents = read("_x: &a { one: 1, two: 2 }\nlist:\n- { <<: *a, two: 3 }\n").unwrap();
        let item = &documents[0]["list"][0];
        assert_eq!((item["one"].as_u64(), item["two"].as_u64()), (Some(1), Some(3)));
    }

    #[test]
    fn a_file_has_several_documents_and_empty_ones_do_not_count() {
        assert_eq!(read("---\na: 1\n---\n---\nb: 2\n").unwrap().len(), 2);
        assert_eq!(read("").unwrap().len(), 0);
    }

    #[test]
    fn json_may_be_indented_with_tabs() {
        assert_eq!(read("{\n\t\"a\": [1]\n}").unwrap()[0]["a"][0].as_u64(), Some(1));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_line() {
        let error = read("a: 1\nb: [\n").unwrap_err();
        assert!(error.contains("line"), "{error}");
        assert!(read("a: 1\na: 2\n").unwrap_err().contains("duplicate"));
    }

    #[test]
    fn a_place_is_written_as_the_filters_write_it() {
        let place = Place::default().member("services").item(0).member("a.b").member("config");
        assert_eq!(
            place.below("match.paths[1]").as_str(),
            r#"services[0]["a.b"].config.match.paths[1]"#
        );
        assert_eq!(place.below("").as_str(), r#"services[0]["a.b"].config"#);
    }
}
