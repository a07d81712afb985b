//! The fields of one JSON object: read, checked and described by the same calls.

use crate::problem::{Invalid, Problem};
use crate::rule::Rule;
use crate::wire;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// Looks an environment variable up.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One object of the document, or of its description.
///
/// Each call names a field. A field that is absent, `null`, or (where a text is optional) `""` is unset. A
/// field with a wrong value is noted as a problem and reads as unset, so that all problems are found in one
/// reading; nothing of a document with problems is ever used.
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

/// Reads `document`: an object, a string that holds one (Kong 3.4), or nothing at all, which is `{}`.
///
/// # Errors
/// Everything that is wrong, with its path.
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

/// The JSON Schema (draft-04, as Kong's validator wants) of what `build` reads.
pub fn schema<T>(build: impl FnOnce(&mut Fields<'_>) -> T) -> Value {
    let run = Run { env: &|_| None, describing: true, problems: RefCell::default() };
    let mut fields = Fields::new(&run, String::new(), Map::new());
    build(&mut fields);
    fields.finish()
}

fn object_of(document: &[u8]) -> Result<Map<String, Value>, String> {
    match wire::document(document)? {
        Value::Object(map) => Ok(map),
        // Kong's cjson turns `{}` and `[]` into one another.
        Value::Array(list) if list.is_empty() => Ok(Map::new()),
        other => Err(format!("found {}, expected an object", kind(&other))),
    }
}

/// One text field of a document in any form that a host may give it.
#[must_use]
pub fn text_of(document: &[u8], name: &str) -> Option<String> {
    object_of(document).ok()?.get(name)?.as_str().map(str::to_owned)
}

impl<'a> Fields<'a> {
    fn new(run: &'a Run<'a>, path: String, given: Map<String, Value>) -> Self {
        Self { run, path, given, properties: Map::new(), required: Vec::new() }
    }

    // === Scalars ===

    /// A boolean.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.optional_flag(name).unwrap_or(default)
    }

    /// A boolean that may be unset.
    pub fn optional_flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name, json!({"type": "boolean"}))?;
        let flag = value.as_bool();
        self.expect(flag.is_some(), name, &value, "true or false");
        flag
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        self.optional_integer(name, range).unwrap_or(default)
    }

    /// A whole number within `range`, or unset.
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

    /// A number within `range`, fractions allowed, or unset.
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

    /// A text, or unset.
    pub fn text(&mut self, name: &'static str, rule: Rule) -> Option<String> {
        let value = self.take(name, text_schema(rule, true))?;
        if value.as_str() == Some("") {
            return None;
        }
        let text = value.as_str().filter(|text| obeys(rule, text)).map(str::to_owned);
        self.expect(text.is_some(), name, &value, rule.what);
        text
    }

    /// A text that must be there. (It reads as empty when it is not; the document is refused then.)
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

    /// A secret: `name` itself, or `name_env` that names an environment variable which holds it. No message
    /// ever quotes it.
    pub fn secret(
        &mut self,
        name: &'static str,
        name_env: &'static str,
        rule: Rule,
    ) -> Option<String> {
        let direct =
            self.take(name, text_schema(rule, true)).filter(|value| value.as_str() != Some(""));
        let variable = self.text(name_env, Rule::ENV_NAME);
        let check = |text: &str| !text.is_empty() && obeys(rule, text);
        match (direct, variable) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                self.problem(
                    name,
                    format!("found together with `{name_env}`, expected one of the two"),
                );
                None
            }
            (Some(value), None) => {
                let text = value.as_str().filter(|text| check(text)).map(str::to_owned);
                if text.is_none() {
                    self.problem(
                        name,
                        format!("found something else (not shown), expected {}", rule.what),
                    );
                }
                text
            }
            (None, Some(variable)) => match (self.run.env)(&variable) {
                Some(text) if check(&text) => Some(text),
                Some(_) => {
                    self.problem(
                        name_env,
                        format!(
                            "found an unusable value in `{variable}` (not shown), expected {}",
                            rule.what
                        ),
                    );
                    None
                }
                None => {
                    self.problem(name_env, format!("found no environment variable `{variable}`, expected it to hold {}; the gateway must hand it to the filter", rule.what));
                    None
                }
            },
        }
    }

    /// A list of secrets: those of `name` themselves, then those that the environment variables hold which
    /// `name_env` names. No message ever quotes one.
    pub fn secrets(
        &mut self,
        name: &'static str,
        name_env: &'static str,
        rule: Rule,
    ) -> Vec<String> {
        let schema = empty_or(json!({"type": "array", "items": text_schema(rule, false)}));
        let items = self.take(name, schema).map_or(Ok(Vec::new()), list_of);
        let items = items.unwrap_or_else(|_| {
            self.problem(name, "found something else (not shown), expected a list of texts");
            Vec::new()
        });
        let variables = self.texts(name_env, Rule::ENV_NAME).unwrap_or_default();
        let check = |text: &str| !text.is_empty() && obeys(rule, text);
        let mut secrets = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match item.as_str().filter(|text| check(text)) {
                Some(text) => secrets.push(text.to_owned()),
                None => self.problem(
                    &format!("{name}[{n}]"),
                    format!("found something else (not shown), expected {}", rule.what),
                ),
            }
        }
        for (n, variable) in variables.iter().enumerate() {
            match (self.run.env)(variable).filter(|text| check(text)) {
                Some(text) => secrets.push(text),
                None => self.problem(
                    &format!("{name_env}[{n}]"),
                    format!(
                        "found no usable value in `{variable}` (not shown), expected {}",
                        rule.what
                    ),
                ),
            }
        }
        secrets
    }

    /// One of the named choices, or unset.
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

    // === Lists and objects ===

    /// A list of texts; `None` when unset.
    pub fn texts(&mut self, name: &'static str, rule: Rule) -> Option<Vec<String>> {
        let items = self.list(name, text_schema(rule, false))?;
        let mut texts = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match item.as_str().filter(|text| !text.is_empty() && obeys(rule, text)) {
                Some(text) => texts.push(text.to_owned()),
                None => self.problem(&format!("{name}[{n}]"), mismatch(item, rule.what)),
            }
        }
        Some(texts)
    }

    /// A list of named choices; `None` when unset.
    pub fn choices<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<Vec<T>> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let items = self.list(name, json!({"enum": names}))?;
        let mut chosen = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match choices.iter().find(|(name, _)| item.as_str() == Some(*name)) {
                Some((_, choice)) => chosen.push(*choice),
                None => {
                    self.problem(
                        &format!("{name}[{n}]"),
                        mismatch(item, &format!("one of {}", quoted(&names))),
                    );
                }
            }
        }
        Some(chosen)
    }

    /// A nested object, or unset.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        build: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Option<T> {
        let value = self.raw(name);
        let given = match &value {
            Some(Value::Object(map)) => map.clone(),
            Some(Value::Array(list)) if list.is_empty() => Map::new(),
            Some(other) => {
                self.problem(name, mismatch(other, "an object"));
                Map::new()
            }
            None if self.run.describing => Map::new(),
            None => return None,
        };
        let wrong = value.as_ref().is_some_and(|value| {
            !value.is_object() && value.as_array().is_none_or(|l| !l.is_empty())
        });
        let mut fields = Fields::new(self.run, self.at(name), given);
        let built = build(&mut fields);
        if wrong {
            return None;
        }
        let schema = fields.finish();
        self.properties.insert(name.to_owned(), schema);
        value.map(|_| built)
    }

    /// A list of objects; empty when unset.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        mut build: impl FnMut(&mut Fields<'_>) -> T,
    ) -> Vec<T> {
        let mut describe = Fields::new(self.run, String::new(), Map::new());
        let item_schema = if self.run.describing {
            build(&mut describe);
            describe.finish()
        } else {
            Value::Null
        };
        let mut built = Vec::new();
        for (n, item) in self.list(name, item_schema).unwrap_or_default().into_iter().enumerate() {
            let at = format!("{name}[{n}]");
            match item {
                Value::Object(map) => {
                    let mut fields = Fields::new(self.run, self.at(&at), map);
                    built.push(build(&mut fields));
                    fields.finish();
                }
                other => self.problem(&at, mismatch(&other, "an object")),
            }
        }
        built
    }

    /// An object with names of the operator's choice, each with a list of texts; empty when unset.
    pub fn lists_by_name(&mut self, name: &'static str, rule: Rule) -> Vec<(String, Vec<String>)> {
        let item = json!({"type": "array", "items": text_schema(rule, false)});
        let schema = json!({"type": "object", "additionalProperties": empty_or(item)});
        let map = match self.take(name, schema) {
            Some(Value::Object(map)) => map,
            Some(Value::Array(list)) if list.is_empty() => Map::new(),
            Some(other) => {
                self.problem(name, mismatch(&other, "an object of lists"));
                Map::new()
            }
            None => Map::new(),
        };
        let mut built = Vec::new();
        for (key, value) in map {
            let at = format!("{name}.{key}");
            let mut texts = Vec::new();
            match list_of(value) {
                Ok(items) => {
                    for (n, item) in items.iter().enumerate() {
                        match item.as_str().filter(|text| !text.is_empty() && obeys(rule, text)) {
                            Some(text) => texts.push(text.to_owned()),
                            None => self.problem(&format!("{at}[{n}]"), mismatch(item, rule.what)),
                        }
                    }
                }
                Err(other) => self.problem(&at, mismatch(&other, "a list")),
            }
            built.push((key, texts));
        }
        built
    }

    /// An object with names of the operator's choice, each with a text; empty when unset.
    pub fn texts_by_name(&mut self, name: &'static str, rule: Rule) -> Vec<(String, String)> {
        let schema = json!({"type": "object", "additionalProperties": text_schema(rule, false)});
        let mut built = Vec::new();
        for (key, value) in self.object_of_any(name, schema) {
            match value.as_str().filter(|text| !text.is_empty() && obeys(rule, text)) {
                Some(text) => built.push((key, text.to_owned())),
                None => self.problem(&format!("{name}.{key}"), mismatch(&value, rule.what)),
            }
        }
        built
    }

    /// An object of any content; empty when unset.
    pub fn any_object(&mut self, name: &'static str) -> Map<String, Value> {
        self.object_of_any(name, json!({"type": "object"}))
    }

    fn object_of_any(&mut self, name: &'static str, schema: Value) -> Map<String, Value> {
        match self.take(name, schema) {
            Some(Value::Object(map)) => map,
            Some(other) => {
                self.problem(name, mismatch(&other, "an object"));
                Map::new()
            }
            None => Map::new(),
        }
    }

    /// A setting of the system that the filter replaces, without a meaning here: taken as it is, whatever it is.
    pub fn unused(&mut self, name: &'static str) {
        self.take(name, json!({}));
    }

    // === Relations between fields ===

    /// Notes a problem unless `holds`. `message` says what was found and what is expected.
    pub fn check(&mut self, holds: bool, name: &str, message: impl Into<String>) {
        if !holds && !self.run.describing {
            self.problem(name, message);
        }
    }

    /// An environment variable of the gateway.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<String> {
        (self.run.env)(name)
    }

    /// Whether the field was given at all.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether the field was given as `null`: Kong prints what has no value so.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(Value::is_null)
    }

    // === Inside ===

    fn list(&mut self, name: &'static str, item: Value) -> Option<Vec<Value>> {
        let schema = empty_or(json!({"type": "array", "items": item}));
        match list_of(self.take(name, schema)?) {
            Ok(items) => Some(items),
            Err(other) => {
                self.problem(name, mismatch(&other, "a list"));
                None
            }
        }
    }

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

/// Kong turns an empty list into `{}`, so that must do for a list.
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
    let mut schema = json!({"type": "string", "maxLength": rule.max});
    if let Some(map) = schema.as_object_mut() {
        match (rule.pattern, may_be_empty) {
            (Some(pattern), true) => {
                map.insert("pattern".to_owned(), format!("^$|{pattern}").into());
            }
            (Some(pattern), false) => {
                map.insert("pattern".to_owned(), pattern.into());
            }
            (None, true) => {}
            (None, false) => {
                map.insert("minLength".to_owned(), 1.into());
            }
        }
    }
    schema
}

fn obeys(rule: Rule, text: &str) -> bool {
    text.len() <= rule.max && (rule.check)(text)
}

/// A whole number, also where an encoder wrote `5.0` or `1e3`.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        // 2^53: beyond it a double does not name one whole number.
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(n))
            .map(|n| n as u64)
    })
}

fn mismatch(found: &Value, expected: &str) -> String {
    format!("found {}, expected {expected}", found_text(found))
}

fn found_text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shown(text)),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => kind(other).to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `text` for a log line: short, and on one line.
fn shown(text: &str) -> String {
    let mut out: String =
        text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(64).is_some() {
        out.push_str("...");
    }
    out
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
