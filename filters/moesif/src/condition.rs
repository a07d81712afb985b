//! Conditions over a request: a path into it, and a regular expression that has to be found there.

use crate::json::{Scalar, scalar_at};
use crate::uri;
use exchange::{Head, Request};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;
use std::borrow::Cow;

/// A longer expression is not taken.
const MAX_PATTERN: usize = 2048;
/// So many octets a compiled expression may have.
const MAX_COMPILED: usize = 1 << 18;

/// Any of these groups has to hold, and a group holds if all of it does. No group at all holds always.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions(Vec<Vec<Condition>>);

#[derive(Debug, Clone)]
struct Condition {
    path: String,
    /// `None` for an expression that cannot be read: it is found nowhere.
    pattern: Option<Regex>,
}

/// What conditions may ask about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) uri: &'a [u8],
    pub(crate) ip: Option<&'a str>,
    /// The request's body, where it is known and text.
    pub(crate) body: Option<&'a str>,
    /// Status and head, once they are there.
    pub(crate) response: Option<(u16, &'a Head)>,
}

impl Conditions {
    /// Reads `[{"conditions": [{"path", "value"}]}]`.
    pub(crate) fn read(groups: Option<&Value>) -> Self {
        let groups = groups.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self(groups.iter().map(|entry| group(entry.get("conditions"))).collect())
    }

    /// Reads the conditions of one entry.
    pub(crate) fn of_entry(entry: &Value) -> Self {
        Self(vec![group(entry.get("conditions"))])
    }

    pub(crate) fn hold(&self, facts: &Facts<'_>) -> bool {
        let holds = |group: &Vec<Condition>| group.iter().all(|condition| condition.holds(facts));
        self.0.is_empty() || self.0.iter().any(holds)
    }

    /// Whether any of them looks below `prefix`.
    pub(crate) fn look_at(&self, prefix: &str) -> bool {
        self.0.iter().flatten().any(|condition| condition.path.starts_with(prefix))
    }
}

fn group(conditions: Option<&Value>) -> Vec<Condition> {
    let conditions = conditions.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    conditions.iter().map(Condition::read).collect()
}

impl Condition {
    fn read(condition: &Value) -> Self {
        let text = |name| condition.get(name).and_then(Value::as_str);
        let pattern =
            text("value").filter(|pattern| pattern.len() <= MAX_PATTERN).and_then(|pattern| {
                // Without Unicode `\d` and `\w` are what they are to the other plugins, and the code stays small.
                let mut builder = RegexBuilder::new(pattern);
                builder
                    .unicode(false)
                    .size_limit(MAX_COMPILED)
                    .dfa_size_limit(MAX_COMPILED)
                    .nest_limit(50);
                builder.build().ok()
            });
        Self { path: text("path").unwrap_or_default().to_owned(), pattern }
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        let Some(pattern) = &self.pattern else { return false };
        facts.get(&self.path).is_some_and(|value| pattern.is_match(value.as_bytes()))
    }
}

impl<'a> Facts<'a> {
    /// What is at `path`.
    fn get(&self, path: &str) -> Option<Cow<'a, str>> {
        let text = |bytes: &'a [u8]| Some(String::from_utf8_lossy(bytes));
        match path {
            "request.verb" => text(&self.request.method),
            "request.uri" => text(self.uri),
            "request.route" => text(uri::path(&self.request.target)),
            "request.ip_address" | "request.ip" => self.ip.map(Cow::Borrowed),
            "response.status" => self.response.map(|(status, _)| status.to_string().into()),
            _ => {
                if let Some(name) = path.strip_prefix("request.headers.") {
                    return joined(&self.request.head, name).map(Cow::Owned);
                }
                if let Some(name) = path.strip_prefix("response.headers.") {
                    return joined(self.response?.1, name).map(Cow::Owned);
                }
                self.body_at(path.strip_prefix("request.body.")?).map(Cow::Owned)
            }
        }
    }

    fn body_at(&self, path: &str) -> Option<String> {
        let exact: fn(&str, &str) -> bool = |a, b| a == b;
        let names: Vec<&str> = path.split('.').collect();
        let body = self.body?;
        match scalar_at(body, &[path], exact).or_else(|| scalar_at(body, &names, exact))? {
            Scalar::Text(text) | Scalar::Number(text) => Some(text),
            Scalar::Word(word) => Some(word.to_owned()),
        }
    }
}

/// All values of a field, as RFC 9110 joins them.
pub(crate) fn joined(head: &Head, name: &str) -> Option<String> {
    let values: Vec<_> = head.values(name).map(String::from_utf8_lossy).collect();
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> Request {
        Request {
            method: b"POST".to_vec(),
            target: b"/orders/7?full=1".to_vec(),
            head: Head::from_iter([("X-Plan", "free"), ("x-plan", "trial")]),
            ..Request::default()
        }
    }

    fn hold(groups: Value) -> bool {
        let request = request();
        let response = Head::from_iter([("x-cache", "HIT")]);
        let facts = Facts {
            request: &request,
            uri: b"https://a.example/orders/7?full=1",
            ip: Some("120.110.10.11"),
            body: Some(r#"{"query":"mutation { x }","n":{"deep":7},"t":true}"#),
            response: Some((429, &response)),
        };
        Conditions::read(Some(&groups)).hold(&facts)
    }

    fn one(path: &str, value: &str) -> bool {
        hold(json!([{"conditions": [{"path": path, "value": value}]}]))
    }

    #[test]
    fn every_path_leads_to_its_value() {
        for (path, value) in [
            ("request.verb", "^(POST|PUT)$"),
            ("request.route", r"^/orders/\d+$"),
            ("request.uri", "full=1$"),
            ("request.ip_address", r"120\.110\."),
            ("request.ip", "120"),
            ("request.headers.X-PLAN", "^free, trial$"),
            ("request.body.query", "mutation"),
            ("request.body.n.deep", "^7$"),
            ("request.body.t", "true"),
            ("response.status", "^4"),
            ("response.headers.x-cache", "HIT"),
        ] {
            assert!(one(path, value), "{path}");
            assert!(!one(path, "^nothing like it$"), "{path}");
        }
        for nothing in
            ["request.headers.absent", "request.body.absent", "request.body.n", "user_id", ""]
        {
            assert!(!one(nothing, ""), "{nothing}");
        }
    }

    #[test]
    fn groups_are_alternatives_and_all_of_a_group_has_to_hold() {
        let verb = |value: &str| json!({"path": "request.verb", "value": value});
        let ip = |value: &str| json!({"path": "request.ip_address", "value": value});
        assert!(hold(json!([])));
        assert!(hold(
            json!([{"conditions": [verb("GET")]}, {"conditions": [verb("POST"), ip("^120")]}])
        ));
        assert!(!hold(json!([{"conditions": [verb("POST"), ip("^9")]}])));
        assert!(!hold(json!([{"conditions": [verb("POST"), verb("GET")]}])), "the same path twice");
    }

    #[test]
    fn an_expression_that_cannot_be_read_or_is_too_large_is_found_nowhere() {
        for pattern in
            ["(", "[", "(?=x)", "a{100000}", &"(a{50}){50}".repeat(20), &"a".repeat(3000)]
        {
            assert!(!one("request.verb", pattern), "{pattern:.20}");
        }
        assert!(!hold(json!([{"conditions": [{"path": "request.verb"}]}])));
    }

    #[test]
    fn no_expression_takes_more_than_linear_time() {
        let groups =
            json!([{"conditions": [{"path": "request.verb", "value": "^(a+)+$|(a|aa)+b"}]}]);
        let conditions = Conditions::read(Some(&groups));
        patience::assert_linear("an expression", 5000, |length| {
            let request = Request { method: vec![b'a'; length], ..request() };
            let facts = Facts { request: &request, uri: b"", ip: None, body: None, response: None };
            conditions.hold(&facts);
        });
    }
}
