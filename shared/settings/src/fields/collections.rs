//! Fields that are lists or objects.

use super::wording::{mismatch, misplaced, quoted};
use super::{Fields, empty_or, list_of, obeys, text_schema};
use crate::rule::Rule;
use serde_json::{Map, Value, json};

impl Fields<'_> {
    /// Reads an optional list of texts.
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

    /// Reads an optional list of choices among names.
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

    /// Reads an optional object, whose fields `build` reads.
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
                self.problem(name, misplaced(other, "an object"));
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

    /// Reads a list of objects, whose fields `build` reads. It is empty if unset.
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
                other => self.problem(&at, misplaced(&other, "an object")),
            }
        }
        built
    }

    /// Reads an object whose names the operator chooses, each with a list of texts. It is empty if
    /// unset.
    pub fn lists_by_name(&mut self, name: &'static str, rule: Rule) -> Vec<(String, Vec<String>)> {
        let item = json!({"type": "array", "items": text_schema(rule, false)});
        let schema = json!({"type": "object", "additionalProperties": empty_or(item)});
        let map = match self.take(name, schema) {
            Some(Value::Object(map)) => map,
            Some(Value::Array(list)) if list.is_empty() => Map::new(),
            Some(other) => {
                self.problem(name, misplaced(&other, "an object of lists"));
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
                Err(other) => self.problem(&at, misplaced(&other, "a list")),
            }
            built.push((key, texts));
        }
        built
    }

    /// Reads an object whose names the operator chooses, each with a text. It is empty if unset.
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

    /// Reads an object with any content. It is empty if unset.
    pub fn any_object(&mut self, name: &'static str) -> Map<String, Value> {
        self.object_of_any(name, json!({"type": "object"}))
    }

    fn object_of_any(&mut self, name: &'static str, schema: Value) -> Map<String, Value> {
        match self.take(name, schema) {
            Some(Value::Object(map)) => map,
            Some(other) => {
                self.problem(name, misplaced(&other, "an object"));
                Map::new()
            }
            None => Map::new(),
        }
    }

    fn list(&mut self, name: &'static str, item: Value) -> Option<Vec<Value>> {
        let schema = empty_or(json!({"type": "array", "items": item}));
        match list_of(self.take(name, schema)?) {
            Ok(items) => Some(items),
            Err(other) => {
                self.problem(name, misplaced(&other, "a list"));
                None
            }
        }
    }
}
