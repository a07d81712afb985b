//! Checks of time and audience claims, and conversion of claims to headers.

use serde_json::{Map, Value};

pub(crate) type Claims = Map<String, Value>;

/// The clock that time claims are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The current time in seconds since 1970.
    pub(crate) now: u64,
    /// The tolerated difference between clocks, in seconds.
    pub(crate) skew: u64,
}

/// The requirement on a time claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// The claim is required and checked.
    Required,
    /// The claim is checked if it is present.
    Optional,
    /// The claim is ignored.
    Ignored,
}

/// Checks the time claims (RFC 7519, section 4.1). Returns each faulty claim with Kong's message.
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

/// Returns `true` if the token expires within `longest` seconds from now.
pub(crate) fn ends_within(claims: &Claims, longest: u64, clock: Clock) -> bool {
    let latest = (clock.now as f64) + (clock.skew as f64) + (longest as f64);
    claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp <= latest)
}

/// Returns `true` if the token has an `exp` that has passed. The memory does not serve such a
/// token.
pub(crate) fn has_ended(claims: &Claims, now: u64) -> bool {
    claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp <= now as f64)
}

/// Returns `true` if the token's `aud` contains one of `audiences`.
pub(crate) fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let ours = |value: &Value| value.as_str().is_some_and(|aud| audiences.iter().any(|a| a == aud));
    match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    }
}

/// Returns the claim of this name, or at this path of names, such as `realm_access.roles`. A path
/// that begins with `/` is a JSON Pointer (RFC 6901). It serves names with dots, as in
/// `/kubernetes.io/namespace`.
pub(crate) fn claim<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    if let Some(pointer) = path.strip_prefix('/') {
        return pointed(claims, pointer);
    }
    let (first, rest) = path.split_once('.')?;
    claims.get(first)?.as_object().and_then(|inner| claim(inner, rest))
}

/// Follows a JSON Pointer without its first `/`. It does not enter lists, because the position of a
/// role in a list has no meaning.
fn pointed<'a>(claims: &'a Claims, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = match pointer.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer, None),
    };
    let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => pointed(value.as_object()?, rest),
        None => Some(value),
    }
}

/// Returns `true` if a text can name a claim. An escape in a JSON Pointer is `~0` or `~1`.
pub(crate) fn can_name(path: &str) -> bool {
    let mut escapes = path.split('~').skip(1);
    !path.starts_with('/') || escapes.all(|rest| rest.starts_with(['0', '1']))
}

/// Converts a claim to the value of a header. A text, a number, a boolean, or a list of these has a
/// value; the items of a list are separated by commas. Returns `None` for anything else, and for an
/// empty value. A receiver who splits the value at its commas and decodes the percent escapes of
/// each piece gets exactly the token's texts.
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

/// Percent-encodes what could end a header, commas, `%`, and white space at the ends, which servers
/// remove.
fn printable(text: &str) -> String {
    let (first, last) = (text.len().saturating_sub(text.trim_start().len()), text.trim_end().len());
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let at_an_end = c.is_whitespace() && (at < first || at >= last);
        match c.is_ascii_control() || matches!(c, '%' | ',') || at_an_end {
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

    /// google/jwt_verify_lib#104: Kubernetes uses a claim `kubernetes.io`.
    #[test]
    fn a_json_pointer_finds_a_claim_whose_name_has_dots() {
        let claims = claims(json!({
            "kubernetes.io": {"namespace": "dev", "pod.name": {"a/b~": 1}}, "/odd": 2, "list": [1], "": {"": 3},
        }));
        for (path, expected) in [
            ("/kubernetes.io/namespace", Some(json!("dev"))),
            ("/kubernetes.io/pod.name/a~1b~0", Some(json!(1))),
            ("/odd", Some(json!(2))),
            ("//", Some(json!(3))),
            ("kubernetes.io.namespace", None),
            ("/kubernetes/io/namespace", None),
            ("/kubernetes.io/namespace/x", None),
            ("/list/0", None),
            ("/", Some(json!({"": 3}))),
        ] {
            assert_eq!(claim(&claims, path), expected.as_ref(), "{path}");
        }
        assert!(can_name("/a~0~1/b") && can_name("a~b"));
        assert!(!can_name("/a~") && !can_name("/a~2"));
    }

    #[test]
    fn no_claim_can_end_its_header_or_become_two_or_another_one() {
        for (value, expected) in [
            (json!("a\r\nX-Admin: 1"), Some("a%0D%0AX-Admin: 1")),
            (json!(["a", 1, true]), Some("a,1,true")),
            (json!(["a,b", "c"]), Some("a%2Cb,c")),
            (json!("a,admin"), Some("a%2Cadmin")),
            (json!(["%0D", "100%", "\r"]), Some("%250D,100%25,%0D")),
            (json!([" a b ", "\u{a0}"]), Some("%20a b%20,%C2%A0")),
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
