//! Fields that are secrets. The document contains them, or names the environment variables that do.

use super::{Fields, empty_or, list_of, obeys, secret_schema, shown};
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
            self.take(name, secret_schema(rule, true)).filter(|value| value.as_str() != Some(""));
        let variable = self.variable(name_env);
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
                            "found an unusable value in the variable {} (not shown), expected {}",
                            shown_variable(&variable),
                            rule.what
                        ),
                    );
                    None
                }
                None => {
                    self.problem(name_env, format!("found no environment variable {}, expected it to hold {}; the gateway must hand it to the filter", shown_variable(&variable), rule.what));
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
        let schema = empty_or(json!({"type": "array", "items": secret_schema(rule, false)}));
        let items = self.take(name, schema).map_or(Ok(Vec::new()), list_of);
        let items = items.unwrap_or_else(|_| {
            self.problem(name, "found something else (not shown), expected a list of texts");
            Vec::new()
        });
        let variables = self.variables(name_env);
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
        for (n, variable) in variables {
            match (self.run.env)(&variable).filter(|text| check(text)) {
                Some(text) => secrets.push(text),
                None => self.problem(
                    &format!("{name_env}[{n}]"),
                    format!(
                        "found no usable value in the variable {} (not shown), expected {}",
                        shown_variable(&variable),
                        rule.what
                    ),
                ),
            }
        }
        secrets
    }

    /// Reads an optional text that tells where a secret is. No message quotes what does not obey
    /// `rule`, unless it is an absolute path: it may be the secret itself.
    pub fn place_of_secret(&mut self, name: &'static str, rule: Rule) -> Option<String> {
        let value = self.take(name, secret_schema(rule, true))?;
        let given = value.as_str();
        if given == Some("") {
            return None;
        }
        let text = given.filter(|text| obeys(rule, text)).map(str::to_owned);
        if text.is_none() {
            let path = given.filter(|text| text.starts_with('/'));
            let found = path.map_or("something else (not shown)".to_owned(), |path| {
                format!("\"{}\"", shown(path))
            });
            self.problem(name, format!("found {found}, expected {}", rule.what));
        }
        text
    }

    /// Reads the name of an environment variable. No message quotes what is not a name: it may be
    /// the secret itself.
    fn variable(&mut self, name: &'static str) -> Option<String> {
        let value = self.take(name, secret_schema(Rule::ENV_NAME, true))?;
        if value.as_str() == Some("") {
            return None;
        }
        let text = value.as_str().filter(|text| obeys(Rule::ENV_NAME, text)).map(str::to_owned);
        if text.is_none() {
            self.problem(name, NO_NAME);
        }
        text
    }

    /// Reads a list of names of environment variables, each with its place in the list.
    fn variables(&mut self, name: &'static str) -> Vec<(usize, String)> {
        let schema = json!({"type": "array", "items": secret_schema(Rule::ENV_NAME, false)});
        let items = self.take(name, empty_or(schema)).map_or(Ok(Vec::new()), list_of);
        let items = items.unwrap_or_else(|_| {
            self.problem(name, "found something else (not shown), expected a list");
            Vec::new()
        });
        let mut names = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match item.as_str().filter(|text| !text.is_empty() && obeys(Rule::ENV_NAME, text)) {
                Some(text) => names.push((n, text.to_owned())),
                None => self.problem(&format!("{name}[{n}]"), NO_NAME),
            }
        }
        names
    }
}

/// The problem of a text that cannot be the name of an environment variable.
const NO_NAME: &str =
    "found something else (not shown), expected the name of an environment variable";

/// Returns the name of a variable for a message. A name with small letters may be the secret itself,
/// put in the wrong place, and is not shown.
#[must_use]
pub fn shown_variable(variable: &str) -> String {
    match variable.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => "of this name".to_owned(),
        false => format!("`{variable}`"),
    }
}
