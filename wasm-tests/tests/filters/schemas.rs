//! The schema beside each filter, with which Kong checks settings, agrees with the filter's own
//! parser.
//!
//! [`mutants::BEYOND`] lists the rules that draft-04 cannot express, or that it counts in
//! characters where the filter counts bytes.

mod mutants;

use crate::examples::{common, example, matching};
use all_filters::{Entry, FILTERS};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wasm_tests::{built_filters, filters_directory, merged};

struct Subject {
    name: &'static str,
    meta: Value,
    filter: &'static Entry,
    /// Documents that together hold every setting.
    full: Vec<Value>,
}

impl Subject {
    fn of(filter: &'static Entry) -> Self {
        let name = filter.name;
        Self { name, meta: (filter.meta)(), filter, full: example(name).every_setting }
    }

    /// Parses a document, and returns every problem with its path.
    fn read(&self, document: &str) -> Result<(), String> {
        let known = |name: &str| (name == "SET").then(|| "value".to_owned());
        (self.filter.check)(document.as_bytes(), &known).map_err(|invalid| invalid.to_string())
    }
}

/// Every filter.
fn subjects() -> Vec<Subject> {
    FILTERS.iter().map(Subject::of).collect()
}

fn validator(subject: &Subject) -> jsonschema::Validator {
    let mut schema = subject.meta["config_schema"].clone();
    // Kong sets this version.
    schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
    jsonschema::draft4::new(&schema).unwrap_or_else(|error| panic!("{}: {error}", subject.name))
}

#[test]
fn every_filter_has_its_schema_beside_it_and_it_is_draft_04() {
    let subjects = subjects();
    let known: Vec<&str> = subjects.iter().map(|subject| subject.name).collect();
    for (name, _) in built_filters() {
        assert!(known.contains(&name.as_str()), "{name} is not in `all_filters::FILTERS`");
    }
    for subject in &subjects {
        let path = filters_directory().join(format!("gatehouse_{}.meta.json", subject.name));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let built: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            built,
            subject.meta,
            "{} is not what the filter says; run `make build`",
            path.display()
        );
        let schema = &subject.meta["config_schema"];
        assert!(jsonschema::draft4::meta::is_valid(schema), "{}", subject.name);
        assert_eq!(later_keywords(schema), BTreeSet::new(), "{}", subject.name);
        validator(subject);
    }
}

/// The keywords of a schema that draft-04, or Kong's validator, does not know.
fn later_keywords(schema: &Value) -> BTreeSet<String> {
    let known = [
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "properties",
        "required",
        "type",
        "uniqueItems",
        "description",
        "title",
        "default",
    ];
    let mut unknown = BTreeSet::new();
    let Some(object) = schema.as_object() else { return unknown };
    for (word, value) in object {
        if !known.contains(&word.as_str()) {
            unknown.insert(word.clone());
        }
        match word.as_str() {
            "properties" | "patternProperties" => {
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, s)| unknown.extend(later_keywords(s)));
            }
            "anyOf" | "allOf" | "oneOf" => {
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|s| unknown.extend(later_keywords(s)));
            }
            "items" | "additionalProperties" | "not" => unknown.extend(later_keywords(value)),
            _ => {}
        }
    }
    unknown
}

/// Kong shows a text that does not match a `pattern`: on the command line, in its log, and in answers
/// of its Admin API. A key without its armour, or in place of a variable's name, is such a text.
#[test]
fn kong_shows_no_text_that_stands_where_a_secret_belongs() {
    let (mut secrets, mut shown) = (Vec::new(), Vec::new());
    for subject in subjects() {
        of_secrets(&subject.meta["config_schema"], subject.name, &mut secrets);
    }
    for (path, schema) in &secrets {
        let inner = ["/anyOf/0", "/items", "/anyOf/0/items"].map(|at| schema.pointer(at));
        if [Some(schema)].into_iter().chain(inner).flatten().any(|at| at.get("pattern").is_some()) {
            shown.push(path);
        }
    }
    assert!(secrets.len() > 40, "{}", secrets.len());
    assert_eq!(shown, Vec::<&String>::new());
}

/// Adds the secrets among the settings below `at`, the names of variables that hold them, and the
/// places where they are looked for.
fn of_secrets(schema: &Value, at: &str, secrets: &mut Vec<(String, Value)>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, inner) in properties {
        let path = format!("{at}.{name}");
        let is_place = ["_env", "_location"].iter().any(|ending| name.ends_with(ending));
        if is_place || properties.contains_key(&format!("{name}_env")) {
            secrets.push((path.clone(), inner.clone()));
        }
        of_secrets(inner, &path, secrets);
        for choice in inner["anyOf"].as_array().into_iter().flatten() {
            of_secrets(&choice["items"], &path, secrets);
        }
    }
}

/// Operators write the common settings once and anchor them in YAML, whatever the chain holds.
#[test]
fn every_filter_takes_the_common_keys_whether_or_not_they_have_an_effect_there() {
    let shared = common(json!({"match": matching()}));
    let keys = shared.as_object().unwrap();
    for subject in subjects() {
        let name = subject.name;
        let own = example(name).working;
        let mut document = merged(shared.clone(), own);
        // Sessions are looked up one by one, which is a rule about the mode and not about the key.
        document["cache"]["mode"] = json!("lazy");
        assert_eq!(subject.read(&document.to_string()), Ok(()), "{name}");
        assert!(validator(&subject).is_valid(&document), "{name}");
        for key in keys.keys() {
            let mut document = document.clone();
            document[key] = json!(["of another type"]);
            assert!(subject.read(&document.to_string()).is_err(), "{name}: {key}");
            assert!(!validator(&subject).is_valid(&document), "{name}: {key}");
        }
    }
}

#[test]
fn a_document_with_every_setting_passes_both() {
    for subject in subjects() {
        let validator = validator(&subject);
        let mut there = BTreeSet::new();
        for document in &subject.full {
            let problems: Vec<String> =
                validator.iter_errors(document).map(|e| e.to_string()).collect();
            assert_eq!(problems, [""; 0], "{}", subject.name);
            assert_eq!(subject.read(&document.to_string()), Ok(()), "{}", subject.name);
            there.extend(paths_of(document, ""));
        }
        // Every setting is in one of the documents, or its twin is, because some exclude one
        // another.
        let settings = settings_of(&subject.meta["config_schema"], "");
        let has_twin = |path: &str| {
            ["_env", "_location", "_location_env"]
                .iter()
                .filter_map(|twin| path.strip_suffix(twin))
                .any(|twin| there.contains(twin))
        };
        let missing = settings.difference(&there).filter(|path| !has_twin(path));
        let missing: Vec<&String> = missing.collect();
        assert!(missing.is_empty(), "{}: {missing:?}", subject.name);
    }
}

fn settings_of(schema: &Value, at: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        paths.insert(path.clone());
        paths.extend(settings_of(inner, &path));
        for choice in inner["anyOf"].as_array().into_iter().flatten() {
            paths.extend(settings_of(&choice["items"], &format!("{path}[]")));
        }
    }
    paths
}

fn paths_of(document: &Value, at: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    match document {
        Value::Object(members) => {
            for (name, inner) in members {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                paths.insert(path.clone());
                paths.extend(paths_of(inner, &path));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| paths.extend(paths_of(item, &format!("{at}[]"))));
        }
        _ => {}
    }
    paths
}
