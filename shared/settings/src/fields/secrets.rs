//! Fields that are secrets. The document contains them, or names the environment variables that do.

use super::{Fields, empty_or, list_of, obeys, text_schema};
use crate::rule::Rule;
use serde_json::json;

impl Fields<'_> {
    /// Reads an optional secret: the field `name`, or the environment variable that the field
    /// `name_env` names. No message quotes it.
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

    /// Reads a list of secrets: those of the field `name`, then those of the environment variables
    /// that the field `name_env` lists. No message quotes one.
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
}
