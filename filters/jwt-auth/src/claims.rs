//! Times, audiences and headers of claims.

use serde_json::{Map, Value};

pub(crate) type Claims = Map<String, Value>;

/// How times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// By how many seconds the clocks may differ.
    pub(crate) skew: u64,
}

/// What a time claim must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// There, and right.
    Required,
    /// Right, if there.
    Optional,
    /// Anything.
    Ignored,
}

/// What is wrong with the times: the claim's name and Kong's words for it, all of them.
pub(crate) fn times(
    claims: &Claims,
    exp: Time,
    nbf: Time,
    clock: Clock,
) -> Vec<(&'static str, &'static str)> {
    let (now, skew) = (clock.now as f64, clock.skew as f64);
    let number = |name| claims.get(name).and_then(Value::as_f64);
    let (exp_at, nbf_at) = (number("exp"), number("nbf"));
    let rules = [
        ("exp", exp, exp_at, exp_at.is_some_and(|exp| exp + skew > now), "token expired"),
        ("nbf", nbf, nbf_at, nbf_at.is_some_and(|nbf| nbf <= now + skew), "token not valid yet"),
    ];
    let mut wrong = Vec::new();
    for (name, rule, time, holds, words) in rules {
        let looked_at = match rule {
            Time::Required => true,
            Time::Optional => claims.contains_key(name),
            Time::Ignored => false,
        };
        match (looked_at, time) {
            (true, None) => wrong.push((name, "must be a number")),
            (true, Some(_)) if !holds => wrong.push((name, words)),
            _ => {}
        }
    }
    wrong
}

/// Whether the token ends within `longest` seconds from now.
pub(crate) fn ends_within(claims: &Claims, longest: u64, clock: Clock) -> bool {
    let latest = (clock.now as f64) + (clock.skew as f64) + (longest as f64);
    claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp <= latest)
}

/// Whether the token has ended, if it says when. (What has ended is not taken from memory.)
pub(crate) fn has_ended(claims: &Claims, now: u64) -> bool {
    claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp <= now as f64)
}

/// Whether the token is meant for one of `audiences`.
pub(crate) fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let ours = |value: &Value| value.as_str().is_some_and(|aud| audiences.iter().any(|a| a == aud));
    match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    }
}

/// The claim of this name, or else along this path: `realm_access.roles`.
pub(crate) fn claim<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    claims.get(first)?.as_object().and_then(|inner| claim(inner, rest))
}

/// A claim as the value of a header: a text, a number, a boolean, or a list of these with commas. `None` for
/// anything else, and for what is empty.
pub(crate) fn header(value: &Value) -> Option<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(printable(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let text = match value {
        Value::Array(items) => items.iter().map(one).collect::<Option<Vec<_>>>()?.join(","),
        other => one(other)?,
    };
    (!text.is_empty()).then_some(text)
}

/// `text` with its control characters, which could end a header, percent-encoded.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_control() {
            true => out.push_str(&exchange::percent_encode(c.to_string().as_bytes())),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    const STRICT: Clock = Clock { now: 1000, skew: 0 };

    #[test]
    fn times_are_compared_as_kong_does_and_all_that_is_wrong_is_said() {
        let both = |value| times(&claims(value), Time::Required, Time::Required, STRICT);
        for (value, expected) in [
            (json!({"exp": 1001, "nbf": 1000}), vec![]),
            (json!({"exp": 1000, "nbf": 1000}), vec![("exp", "token expired")]),
            (json!({"exp": 1001, "nbf": 1001}), vec![("nbf", "token not valid yet")]),
            (json!({}), vec![("exp", "must be a number"), ("nbf", "must be a number")]),
            (
                json!({"exp": "1001", "nbf": null}),
                vec![("exp", "must be a number"), ("nbf", "must be a number")],
            ),
            (json!({"exp": 1000.5, "nbf": -1}), vec![]),
            (json!({"exp": 1e300, "nbf": 0}), vec![]),
            (
                json!({"exp": -5, "nbf": 1e300}),
                vec![("exp", "token expired"), ("nbf", "token not valid yet")],
            ),
        ] {
            assert_eq!(both(value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn a_provider_allows_for_clocks_that_differ() {
        let clock = Clock { now: 1000, skew: 60 };
        let wrong = |value| times(&claims(value), Time::Required, Time::Optional, clock);
        assert_eq!(wrong(json!({"exp": 941})), []);
        assert_eq!(wrong(json!({"exp": 940})), [("exp", "token expired")]);
        assert_eq!(wrong(json!({"exp": 941, "nbf": 1060})), []);
        assert_eq!(wrong(json!({"exp": 941, "nbf": 1061})), [("nbf", "token not valid yet")]);
        assert_eq!(times(&claims(json!({})), Time::Ignored, Time::Ignored, clock), []);
    }

    #[test]
    fn the_end_may_not_be_too_far_away() {
        assert!(ends_within(&claims(json!({"exp": 1300})), 300, STRICT));
        assert!(!ends_within(&claims(json!({"exp": 1301})), 300, STRICT));
        assert!(!ends_within(&claims(json!({})), 300, STRICT));
        assert!(has_ended(&claims(json!({"exp": 1000})), 1000));
        assert!(!has_ended(&claims(json!({})), 1000));
    }

    #[test]
    fn an_audience_is_a_text_or_one_of_a_list() {
        let ours = ["a".to_owned(), "b".to_owned()];
        for (aud, expected) in [
            (json!("a"), true),
            (json!(["x", "b"]), true),
            (json!("x"), false),
            (json!([]), false),
            (json!(1), false),
            (json!([["a"]]), false),
        ] {
            assert_eq!(is_for(&claims(json!({"aud": aud})), &ours), expected, "{aud}");
        }
        assert!(!is_for(&claims(json!({})), &ours));
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_along_its_path() {
        let claims = claims(json!({"a": {"b": {"c": 1}}, "x.y": 2, "x": {"y": 3}}));
        assert_eq!(claim(&claims, "a.b.c"), Some(&json!(1)));
        assert_eq!(claim(&claims, "x.y"), Some(&json!(2)));
        assert_eq!(claim(&claims, "a.c"), None);
        assert_eq!(claim(&claims, "x.y.z"), None);
    }

    #[test]
    fn no_claim_can_end_its_header() {
        for (value, expected) in [
            (json!("a\r\nX-Admin: 1"), Some("a%0D%0AX-Admin: 1")),
            (json!(["a", 1, true]), Some("a,1,true")),
            (json!(1.5), Some("1.5")),
            (json!(""), None),
            (json!([]), None),
            (json!([{}]), None),
            (json!({}), None),
            (json!(null), None),
        ] {
            assert_eq!(header(&value).as_deref(), expected, "{value}");
        }
    }
}
