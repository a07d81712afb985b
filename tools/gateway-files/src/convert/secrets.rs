//! Secrets, and the variables of the environment that take them.

use super::values::put;
use serde_norway::{Mapping, Value};
use std::collections::BTreeMap;

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The old file had this value.
    Value(String),
    /// The old file named this file.
    File(String),
    /// The old file had no value, or a reference that only Kong or decK can resolve.
    Operator(String),
}

/// The variables of a conversion, by name.
#[derive(Debug)]
pub(super) struct Secrets {
    inline: bool,
    variables: BTreeMap<String, Source>,
}

impl Secrets {
    pub(super) fn new(inline: bool) -> Self {
        Self { inline, variables: BTreeMap::new() }
    }

    pub(super) fn into_variables(self) -> BTreeMap<String, Source> {
        self.variables
    }

    /// Returns the values that are known, for a check of the settings.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(Source::Value(value)) => Some(value.clone()),
            _ => None,
        }
    }

    /// Writes the secret `value` to `out`, as `name` or as a variable under `name_env`. `stem` is
    /// the variable's name, as far as it is free.
    pub(super) fn put(&mut self, out: &mut Mapping, name: &str, stem: &str, value: &str) {
        let variable = match reference(value) {
            Some(variable) => {
                let why = Source::Operator(format!("the old file says {value}"));
                self.variables.entry(variable.clone()).or_insert(why);
                variable
            }
            None if self.inline => return put(out, name, value),
            None => self.variable(stem, Source::Value(value.to_owned())),
        };
        put(out, &format!("{name}_env"), variable.as_str());
    }

    /// Returns the name of the variable that has this source: `stem`, or `stem` with a number.
    pub(super) fn variable(&mut self, stem: &str, source: Source) -> String {
        let stem = word(stem);
        for number in 1.. {
            let name = if number == 1 { stem.clone() } else { format!("{stem}_{number}") };
            match self.variables.get(&name) {
                Some(known) if *known != source => {}
                Some(_) => return name,
                None => {
                    self.variables.insert(name.clone(), source);
                    return name;
                }
            }
        }
        stem
    }
}

/// Returns the variable that a reference of Kong's vault of the environment
/// (`{vault://env/some-name}`) or of decK (`${{ env "DECK_NAME" }}`) names.
pub(super) fn reference(value: &str) -> Option<String> {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix("{vault://").and_then(|rest| rest.strip_suffix('}')) {
        let (kind, name) = inner.split_once('/')?;
        // Another vault's secret has to come into the environment some other way.
        let name = if kind == "env" { name.split('?').next()? } else { inner };
        return Some(word(name));
    }
    let inner = value.strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let name = inner.strip_prefix("env")?.trim().split('"').nth(1)?;
    // The name gets into a file that a shell reads.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    Some(if name.chars().all(plain) { name.to_owned() } else { word(name) })
}

/// Returns `true` if `value` is a reference, and no text of its own.
pub(super) fn is_reference(value: &Value) -> bool {
    value.as_str().is_some_and(|text| reference(text).is_some())
}

/// Makes the name of a variable of a text.
fn word(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    text.chars().map(letter).collect()
}

/// Writes the variables as lines of a shell, to be read with `set -a`.
#[must_use]
pub fn as_shell(variables: &BTreeMap<String, Source>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut lines = String::new();
    for (name, source) in variables {
        lines += &match source {
            Source::Value(value) => format!("{name}={}\n", quoted(value)),
            Source::File(path) => format!("{name}=\"$(cat {})\"\n", quoted(path)),
            Source::Operator(why) => format!("# {name}: {}\n#{name}=\n", why.replace('\n', " ")),
        };
    }
    lines
}
