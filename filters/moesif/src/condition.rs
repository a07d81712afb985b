//! Conditions on a request. Each has a path to a value, and a regular expression that must occur in
//! the value.

use crate::allowance::{Allowance, Refused};
use crate::content::{Content, Unreadable};
use crate::uri;
use exchange::{Head, Request, folded_name};
use regex::bytes::RegexSet;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// Groups of conditions. They hold if all conditions of one group hold, or if there are no groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions(Vec<Vec<Condition>>);

#[derive(Debug, Clone)]
struct Condition {
    path: String,
    /// The expression, or `None` if it is invalid. An invalid expression matches nothing.
    pattern: Option<RegexSet>,
}

/// The properties of a request that conditions examine.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    /// The URI in the client's spelling.
    pub(crate) uri: &'a [u8],
    /// URI and path as most servers read them. `None` if servers read them differently.
    pub(crate) plain: Option<Plain<'a>>,
    pub(crate) ip: Option<&'a str>,
    /// The body of the request.
    pub(crate) body: &'a Content,
    /// Status and headers of the response, as soon as they are there.
    pub(crate) response: Option<(u16, Index<'a>)>,
    pub(crate) head: Index<'a>,
}

/// URI and path with escapes, dot segments and path parameters resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) uri: &'a [u8],
    pub(crate) path: &'a [u8],
}

/// The values of a head by name. Many conditions then need only one pass over the head.
#[derive(Debug, Default)]
pub(crate) struct Index<'a>(HashMap<Vec<u8>, Vec<&'a [u8]>>);

impl<'a> Index<'a> {
    pub(crate) fn of(head: &'a Head) -> Self {
        let mut all: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::new();
        for (name, value) in head.fields() {
            all.entry(folded_name(name)).or_default().push(value);
        }
        Self(all)
    }

    /// Returns each value of a header, and the combined value of RFC 9110.
    fn values(&self, name: &str) -> Vec<Cow<'a, str>> {
        let Some(values) = self.0.get(&folded_name(name.as_bytes())) else { return Vec::new() };
        let mut texts: Vec<Cow<'_, str>> =
            values.iter().map(|value| String::from_utf8_lossy(value)).collect();
        if texts.len() > 1 {
            texts.push(texts.join(", ").into());
        }
        texts
    }
}

/// The result of evaluating conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    No,
    /// The result depends on something that cannot be read.
    Unknown(Unreadable),
    Yes,
}

impl Truth {
    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::Unknown(_) if other() == Self::No => Self::No,
            unknown @ Self::Unknown(_) => unknown,
        }
    }

    fn or(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => Self::Yes,
            Self::No => other(),
            Self::Unknown(_) if other() == Self::Yes => Self::Yes,
            unknown @ Self::Unknown(_) => unknown,
        }
    }
}

impl Conditions {
    /// Reads `[{"conditions": [{"path", "value"}]}]`.
    ///
    /// # Errors
    /// [`Refused`], if the document takes more than its allowance.
    pub(crate) fn read(groups: Option<&Value>, allowance: &mut Allowance) -> Result<Self, Refused> {
        let groups = groups.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(Self(groups.iter().map(|entry| group(entry, allowance)).collect::<Result<_, _>>()?))
    }

    /// Reads the conditions of one entry.
    ///
    /// # Errors
    /// [`Refused`], if the document takes more than its allowance.
    pub(crate) fn of_entry(entry: &Value, allowance: &mut Allowance) -> Result<Self, Refused> {
        Ok(Self(vec![group(entry, allowance)?]))
    }

    pub(crate) fn hold(&self, facts: &Facts<'_>) -> Truth {
        let holds = |group: &Vec<Condition>| {
            group.iter().fold(Truth::Yes, |truth, condition| truth.and(|| condition.holds(facts)))
        };
        if self.0.is_empty() {
            return Truth::Yes;
        }
        self.0.iter().fold(Truth::No, |truth, group| truth.or(|| holds(group)))
    }

    /// Returns the paths of conditions on the body.
    pub(crate) fn body_paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().filter_map(|condition| condition.path.strip_prefix(BODY))
    }

    /// Returns `true` if a condition's path begins with `prefix`.
    pub(crate) fn look_at(&self, prefix: &str) -> bool {
        self.0.iter().flatten().any(|condition| condition.path.starts_with(prefix))
    }
}

fn group(entry: &Value, allowance: &mut Allowance) -> Result<Vec<Condition>, Refused> {
    allowance.count()?;
    let conditions = entry.get("conditions").and_then(Value::as_array);
    let conditions = conditions.map(Vec::as_slice).unwrap_or_default();
    conditions.iter().map(|condition| Condition::read(condition, allowance)).collect()
}

impl Condition {
    fn read(condition: &Value, allowance: &mut Allowance) -> Result<Self, Refused> {
        allowance.count()?;
        let text = |name| condition.get(name).and_then(Value::as_str);
        let pattern = match text("value") {
            Some(pattern) => allowance.compile(pattern)?,
            None => None,
        };
        Ok(Self { path: text("path").unwrap_or_default().to_owned(), pattern })
    }

    fn holds(&self, facts: &Facts<'_>) -> Truth {
        let Some(pattern) = &self.pattern else { return Truth::No };
        let (values, hidden) = facts.get(&self.path);
        match values.iter().any(|value| pattern.is_match(value.as_bytes())) {
            true => Truth::Yes,
            false => hidden.map_or(Truth::No, Truth::Unknown),
        }
    }
}

/// The beginning of paths into a body.
const BODY: &str = "request.body.";

impl Facts<'_> {
    /// Returns all values at `path`, and the reason if there may be more that cannot be read.
    fn get(&self, path: &str) -> (Vec<Cow<'_, str>>, Option<Unreadable>) {
        let text = |bytes| String::from_utf8_lossy(bytes);
        let ambiguous = self.plain.is_none().then_some(Unreadable::Path);
        match path {
            "request.verb" => {
                // Some servers take `post` for `POST`, so that a rule for the latter is for both.
                let method = &self.request.method;
                let upper = method.to_ascii_uppercase();
                let read =
                    (upper != *method).then(|| String::from_utf8_lossy(&upper).into_owned().into());
                (std::iter::once(text(method)).chain(read).collect(), None)
            }
            "request.uri" => {
                let plain = self.plain.map(|plain| text(plain.uri));
                (std::iter::once(text(self.uri)).chain(plain).collect(), ambiguous)
            }
            "request.route" => {
                let plain = self.plain.map(|plain| text(plain.path));
                let raw = text(uri::path(&self.request.target));
                (std::iter::once(raw).chain(plain).collect(), ambiguous)
            }
            "request.ip_address" | "request.ip" => {
                (self.ip.map(Cow::Borrowed).into_iter().collect(), None)
            }
            "response.status" => {
                let status = self.response.as_ref().map(|(status, _)| status.to_string().into());
                (status.into_iter().collect(), None)
            }
            _ => {
                if let Some(name) = path.strip_prefix("request.headers.") {
                    return (self.head.values(name), None);
                }
                if let Some(name) = path.strip_prefix("response.headers.") {
                    let head = self.response.as_ref().map(|(_, head)| head);
                    return (head.map(|head| head.values(name)).unwrap_or_default(), None);
                }
                match path.strip_prefix(BODY) {
                    Some(path) => self.body.values(path),
                    None => (Vec::new(), None),
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::LazyLock;

    /// Returns the facts of a request that has neither a body nor a response. Its headers are not
    /// indexed.
    pub(crate) fn facts(request: &Request) -> Facts<'_> {
        static NO_BODY: LazyLock<Content> = LazyLock::new(Content::default);
        Facts {
            request,
            uri: b"",
            plain: None,
            ip: None,
            body: &NO_BODY,
            response: None,
            head: Index::default(),
        }
    }

    fn read(groups: &Value) -> Conditions {
        Conditions::read(Some(groups), &mut Allowance::default()).unwrap()
    }

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
        let conditions = read(&groups);
        let json = br#"{"query":"mutation { x }","n":{"deep":7},"t":true,"t":[false]}"#;
        let wanted = conditions.body_paths().collect();
        let body = Content::read(&Head::default(), json, &wanted, 1000);
        let facts = Facts {
            request: &request,
            uri: b"https://a.example/orders/7?full=1",
            plain: Some(Plain { uri: b"https://a.example/orders/7?full=1", path: b"/plain" }),
            ip: Some("120.110.10.11"),
            body: &body,
            response: Some((429, Index::of(&response))),
            head: Index::of(&request.head),
        };
        conditions.hold(&facts) == Truth::Yes
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
            ("request.route", "^/plain$"),
            ("request.headers.X-PLAN", "^free, trial$"),
            ("request.headers.x_plan", "^free$"),
            ("request.headers.x-plan", "^trial$"),
            ("request.body.t", "^false$"),
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
    fn no_spelling_of_a_method_leads_past_a_condition() {
        let groups = json!([{"conditions": [{"path": "request.verb", "value": "^POST$"}]}]);
        let conditions = read(&groups);
        for (method, truth) in [("POST", Truth::Yes), ("post", Truth::Yes), ("PUT", Truth::No)] {
            let request = Request { method: method.into(), ..request() };
            assert_eq!(conditions.hold(&facts(&request)), truth, "{method}");
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
        assert!(
            !hold(json!([{"conditions": [verb("POST"), verb("GET")]}])),
            "two conditions on one path"
        );
    }

    #[test]
    fn a_condition_on_unreadable_parts_stays_open_unless_the_others_decide() {
        let request = request();
        let holds = |groups: Value| {
            read(&groups).hold(&Facts {
                body: &Content::unreadable(Unreadable::TooLarge),
                head: Index::of(&request.head),
                ..facts(&request)
            })
        };
        let one = |path: &str, value: &str| json!({"path": path, "value": value});
        let all = |conditions: Value| json!([{"conditions": conditions}]);
        let too_large = Truth::Unknown(Unreadable::TooLarge);
        let body = || one("request.body.a", "x");
        assert_eq!(holds(all(json!([body()]))), too_large);
        assert_eq!(holds(all(json!([body(), one("request.verb", "POST")]))), too_large);
        assert_eq!(holds(all(json!([body(), one("request.verb", "GET")]))), Truth::No);
        let other = json!({"conditions": [one("request.verb", "POST")]});
        assert_eq!(holds(json!([{"conditions": [body()]}, other])), Truth::Yes);
        assert_eq!(
            holds(all(json!([one("request.route", "^/admin")]))),
            Truth::Unknown(Unreadable::Path)
        );
        assert_eq!(holds(all(json!([one("request.route", "^/orders")]))), Truth::Yes);
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
        let conditions = read(&groups);
        patience::assert_linear("an expression", 5000, |length| {
            let request = Request { method: vec![b'a'; length], ..request() };
            conditions.hold(&facts(&request));
        });
    }
}
