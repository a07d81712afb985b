//! The settings of one plugin on their way to those of a filter. Whatever no conversion has taken
//! is told.

use super::notes::Notes;
use super::secrets::is_reference;
use super::values::put;
use crate::documents::Place;
use serde_norway::{Mapping, Number, Value};

/// The settings that are left, and those of the filter so far.
#[derive(Debug)]
pub(super) struct Settings {
    rest: Mapping,
    /// The filter's settings.
    pub(super) out: Mapping,
    /// The place of the plugin's settings.
    pub(super) place: Place,
}

impl Settings {
    pub(super) fn new(config: &Mapping, place: Place) -> Self {
        Self { rest: config.clone(), out: Mapping::new(), place }
    }

    /// Takes a setting out of the rest. `null` stands for no setting: Kong prints it so.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Returns `true` if the plugin has the setting, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Takes settings that the filter knows under the same name.
    pub(super) fn same(&mut self, names: &[&str]) {
        for name in names {
            self.renamed(&[*name], name);
        }
    }

    /// Takes a setting under the first of its names in Kong that has a value, and writes it under
    /// the filter's name.
    pub(super) fn renamed(&mut self, old: &[&str], new: &str) {
        let mut found = None;
        for name in old {
            let value = self.take(name);
            found = found.or(value);
        }
        if let Some(value) = found.map(tidy).filter(|value| !is_empty(value)) {
            put(&mut self.out, new, value);
        }
    }

    /// Takes settings that have no meaning for the filter, without a note.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Takes settings that have no counterpart, and tells why.
    pub(super) fn lose(&mut self, names: &[&str], why: &str, notes: &mut Notes) {
        for name in names {
            if self.take(name).is_some_and(|value| !is_empty(&value) && value != Value::Bool(false))
            {
                notes.lost(&self.place.member(name), why);
            }
        }
    }

    /// Takes settings that work otherwise, and tells how.
    pub(super) fn tell(&mut self, names: &[&str], how: &str, notes: &mut Notes) {
        for name in names {
            if self.take(name).is_some_and(|value| !is_empty(&value)) {
                notes.differs(&self.place.member(name), how);
            }
        }
    }

    /// Tells what nobody has taken, and returns the filter's settings.
    pub(super) fn finish(self, filter: &str, notes: &mut Notes) -> Mapping {
        for (name, value) in &self.rest {
            let name = name.as_str().unwrap_or_default();
            if !value.is_null() && !is_empty(value) {
                notes.lost(
                    &self.place.member(name),
                    format!("gatehouse_{filter} has no such setting"),
                );
            }
        }
        let mut out = self.out;
        let references: Vec<Value> = out
            .iter()
            .filter(|(name, value)| {
                is_reference(value) && !name.as_str().is_some_and(|name| name.ends_with("_env"))
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in references {
            let name = name.as_str().unwrap_or_default();
            // decK puts its values in before Kong sees the file.
            if out
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|text| text.starts_with("{vault://"))
            {
                notes.lost(
                    &self.place.member(name),
                    "found a reference that no filter resolves, expected a value",
                );
                out.shift_remove(name);
            }
        }
        out
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Sequence(list) => list.is_empty(),
        Value::Mapping(map) => map.values().all(|value| value.is_null() || is_empty(value)),
        _ => false,
    }
}

/// Leaves out what is null or empty inside of `value`, and makes whole numbers of those that Kong
/// prints as `60.0`.
fn tidy(value: Value) -> Value {
    match value {
        Value::Mapping(map) => Value::Mapping(
            map.into_iter()
                .map(|(name, value)| (name, tidy(value)))
                .filter(|(_, value)| !value.is_null() && !is_empty(value))
                .collect(),
        ),
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(tidy).collect()),
        Value::Number(number) => Value::Number(whole(number)),
        other => other,
    }
}

fn whole(number: Number) -> Number {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
            Number::from(float as i64)
        }
        _ => number,
    }
}
