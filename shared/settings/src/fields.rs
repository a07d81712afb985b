//! The fields of one JSON object. One call reads a field, checks it and describes it in the schema.

mod collections;
mod secrets;
mod wording;

pub use self::secrets::shown_variable;
pub use self::wording::shown;
use self::wording::{after_scheme, kind, mismatch, quoted};
use crate::problem::{Invalid, Problem};
use crate::rule::Rule;
use crate::wire;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// Looks up an environment variable of the gateway.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One object of the settings: of a document, or of the schema.
///
/// Each method names a field. A field is unset if it is absent, `null`, or (for an optional text)
/// `""`. A field with a wrong value is recorded as a problem and reads as unset, so that one run
/// finds all problems. A document with problems is never used.
pub struct Fields<'a> {
    run: &'a Run<'a>,
    path: String,
    given: Map<String, Value>,
    properties: Map<String, Value>,
    required: Vec<Value>,
}

struct Run<'a> {
    env: Env<'a>,
    describing: bool,
    problems: RefCell<Vec<Problem>>,
}

/// Reads `document`: an object, a string that contains one (Kong 3.4), or nothing, which stands for
/// `{}`. `env` looks up environment variables; `build` reads the fields.
///
/// # Errors
/// [`Invalid`], with every problem of the document and its path.
pub fn read<T>(
    document: &[u8],
    env: Env<'_>,
    build: impl FnOnce(&mut Fields<'_>) -> T,
) -> Result<T, Invalid> {
    let given = object_of(document).map_err(|message| Invalid::one("", message))?;
    let run = Run { env, describing: false, problems: RefCell::default() };
    let mut fields = Fields::new(&run, String::new(), given);
    let value = build(&mut fields);
    fields.finish();
    let problems = run.problems.into_inner();
    if problems.is_empty() { Ok(value) } else { Err(Invalid(problems)) }
}

/// Returns the JSON Schema of the settings that `build` reads (draft 4, the version of Kong's
/// validator).
pub fn schema<T>(build: impl FnOnce(&mut Fields<'_>) -> T) -> Value {
    let run = Run { env: &|_| None, describing: true, problems: RefCell::default() };
    let mut fields = Fields::new(&run, String::new(), Map::new());
    build(&mut fields);
    fields.finish()
}

fn object_of(document: &[u8]) -> Result<Map<String, Value>, String> {
    match wire::document(document)? {
        Value::Object(map) => Ok(map),
        // Kong's cjson confuses `{}` and `[]`.
        Value::Array(list) if list.is_empty() => Ok(Map::new()),
        other => Err(format!("found {}, expected an object", kind(&other))),
    }
}

/// Returns one text field of a document, whatever form the host gives the document.
#[must_use]
pub fn text_of(document: &[u8], name: &str) -> Option<String> {
    object_of(document).ok()?.get(name)?.as_str().map(str::to_owned)
}

impl<'a> Fields<'a> {
    fn new(run: &'a Run<'a>, path: String, given: Map<String, Value>) -> Self {
        Self { run, path, given, properties: Map::new(), required: Vec::new() }
    }

    // === Scalars ===

    /// Reads a boolean.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.optional_flag(name).unwrap_or(default)
    }

    /// Reads an optional boolean.
    pub fn optional_flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name, json!({"type": "boolean"}))?;
        let flag = value.as_bool();
        self.expect(flag.is_some(), name, &value, "true or false");
        flag
    }

    /// Reads a whole number within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        self.optional_integer(name, range).unwrap_or(default)
    }

    /// Reads an optional whole number within `range`.
    pub fn optional_integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (low, high) = (*range.start(), *range.end());
        let schema = json!({"type": "integer", "minimum": low, "maximum": high});
        let value = self.take(name, schema)?;
        let number = whole(&value).filter(|number| range.contains(number));
        self.expect(
            number.is_some(),
            name,
            &value,
            &format!("a whole number from {low} to {high}"),
        );
        number
    }

    /// Reads an optional number within `range`. It may have a fraction.
    pub fn optional_number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let (low, high) = (*range.start(), *range.end());
        let schema = json!({"type": "number", "minimum": low, "maximum": high});
        let value = self.take(name, schema)?;
        let number = value.as_f64().filter(|number| range.contains(number));
        self.expect(number.is_some(), name, &value, &format!("a number from {low} to {high}"));
        number
    }

    /// Reads an optional text.
    pub fn text(&mut self, name: &'static str, rule: Rule) -> Option<String> {
        let value = self.take(name, text_schema(rule, true))?;
        if value.as_str() == Some("") {
            return None;
        }
        let text = value.as_str().filter(|text| obeys(rule, text)).map(str::to_owned);
        self.expect(text.is_some(), name, &value, rule.what);
        text
    }

    /// Reads a text that must be set. The result is empty if it is not, and the document is then
    /// rejected.
    pub fn required_text(&mut self, name: &'static str, rule: Rule) -> String {
        self.require(name);
        match self.take(name, text_schema(rule, false)) {
            Some(value) => {
                let text = value.as_str().filter(|text| !text.is_empty() && obeys(rule, text));
                self.expect(text.is_some(), name, &value, rule.what);
                text.unwrap_or_default().to_owned()
            }
            None => {
                self.missing(name, rule.what);
                String::new()
            }
        }
    }

    /// Reads an optional choice among names.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let value = self.take(name, json!({"enum": names}))?;
        let found = value.as_str().and_then(|text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        });
        self.expect(found.is_some(), name, &value, &format!("one of {}", quoted(&names)));
        found
    }

    /// Accepts a setting with any value and ignores it. The system that the filter replaces has
    /// this setting; here it has no meaning.
    pub fn unused(&mut self, name: &'static str) {
        self.take(name, json!({}));
    }

    // === Relations between fields ===

    /// Records a problem unless `holds`. The message says what was found and what is expected.
    pub fn check(&mut self, holds: bool, name: &str, message: impl Into<String>) {
        if !holds && !self.run.describing {
            self.problem(name, message);
        }
    }

    /// Returns the value of an environment variable of the gateway.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<String> {
        (self.run.env)(name)
    }

    /// Returns `true` if the document has the field, and it is not `null`.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns `true` if the field is `null`. Kong writes settings without a value so.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(Value::is_null)
    }

    // === Inside ===

    fn require(&mut self, name: &'static str) {
        self.required.push(name.into());
    }

    fn missing(&mut self, name: &str, what: &str) {
        if !self.run.describing {
            self.problem(name, format!("found nothing, expected {what}"));
        }
    }

    fn raw(&mut self, name: &'static str) -> Option<Value> {
        self.properties.insert(name.to_owned(), json!({}));
        self.given.get(name).filter(|value| !value.is_null()).cloned()
    }

    fn take(&mut self, name: &'static str, schema: Value) -> Option<Value> {
        self.properties.insert(name.to_owned(), schema);
        self.given.get(name).filter(|value| !value.is_null()).cloned()
    }

    fn expect(&mut self, holds: bool, name: &str, found: &Value, what: &str) {
        if !holds {
            self.problem(name, mismatch(found, what));
        }
    }

    fn problem(&mut self, name: &str, message: impl Into<String>) {
        let problem = Problem { path: self.at(name), message: message.into() };
        self.run.problems.borrow_mut().push(problem);
    }

    fn at(&self, name: &str) -> String {
        match (self.path.as_str(), name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}.{name}"),
        }
    }

    fn finish(mut self) -> Value {
        let known: Vec<&str> = self.properties.keys().map(String::as_str).collect();
        let message = format!("found an unknown setting, expected one of {}", quoted(&known));
        let unknown: Vec<String> =
            self.given.keys().filter(|key| !self.properties.contains_key(*key)).cloned().collect();
        for key in unknown {
            self.problem(&shown(&key), message.clone());
        }
        let mut schema = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": self.properties,
        });
        if let (false, Some(map)) = (self.required.is_empty(), schema.as_object_mut()) {
            map.insert("required".to_owned(), self.required.into());
        }
        schema
    }
}

/// Describes a list. Kong turns an empty list into `{}`, so an empty object is accepted too.
fn empty_or(list: Value) -> Value {
    json!({"anyOf": [list, {"type": "object", "maxProperties": 0}]})
}

fn list_of(value: Value) -> Result<Vec<Value>, Value> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(map) if map.is_empty() => Ok(Vec::new()),
        other => Err(other),
    }
}

fn text_schema(rule: Rule, may_be_empty: bool) -> Value {
    // An address may hold a password.
    let hidden = rule.pattern.and_then(after_scheme).is_some();
    described(rule, may_be_empty, hidden)
}

/// Describes a text that is a secret, or may be one by mistake.
fn secret_schema(rule: Rule, may_be_empty: bool) -> Value {
    described(rule, may_be_empty, true)
}

/// Describes a text. Kong shows a text that does not match a `pattern`. Of one that it finds by
/// `not`, it tells no more than that, which is for what is `hidden`.
fn described(rule: Rule, may_be_empty: bool, hidden: bool) -> Value {
    let mut schema = json!({"type": "string", "maxLength": rule.max});
    let Some(map) = schema.as_object_mut() else { return schema };
    let Some(pattern) = rule.pattern else {
        if !may_be_empty {
            map.insert("minLength".to_owned(), 1.into());
        }
        return schema;
    };
    let pattern = if may_be_empty { format!("^$|{pattern}") } else { pattern.to_owned() };
    match hidden {
        true => map.insert("not".to_owned(), json!({"not": {"pattern": pattern}})),
        false => map.insert("pattern".to_owned(), pattern.into()),
    };
    schema
}

fn obeys(rule: Rule, text: &str) -> bool {
    text.len() <= rule.max && (rule.check)(text)
}

/// Reads a whole number, also in the forms `5.0` and `1e3` of some encoders.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        // Beyond 2^53 a double does not identify one whole number.
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(n))
            .map(|n| n as u64)
    })
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
