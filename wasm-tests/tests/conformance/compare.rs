//! The answer of a suite beside ours.

use crate::play::Host;
use crate::table::{Asked, Upstream, values};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_tests::{Forwarded, Response};

/// Headers of requests that a gateway writes itself.
const OF_THE_GATEWAY: [&str; 16] = [
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-kong-request-id",
    "x-request-id",
    "connection",
    "via",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "host",
    "te",
];

/// Headers of responses that the table leaves out.
const LEFT_OUT: [&str; 3] = ["content-length", "server", "date"];

type Headers = BTreeMap<String, Vec<String>>;

/// Compares the request at the upstream.
pub fn upstream(
    asked: &Asked,
    told: &Upstream,
    seen: &Forwarded,
    host: Host,
) -> Result<(), String> {
    let line = told.q.as_deref().unwrap_or(&asked.q);
    let (method, target) = line.split_once(' ').expect("a method and a target");
    if method != seen.method {
        return Err(format!("the method is {} instead of {method}", seen.method));
    }
    let routed = |target: &str| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut query = pairs(query);
        query.sort();
        (path.to_owned(), query)
    };
    if routed(target) != routed(&seen.path) {
        return Err(format!("the target is {} instead of {target}", seen.path));
    }
    let mut expected = Headers::new();
    for (name, value) in asked.headers() {
        let name = name.to_ascii_lowercase();
        if !told.removed.contains(&name) && !told.added.contains_key(&name) {
            expected.entry(name).or_default().push(value);
        }
    }
    for (name, value) in told.added.iter().flat_map(|(name, value)| values(name, value)) {
        expected.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let mut found = collected(&seen.headers);
    if host == Host::Kong {
        // What a filter removes reaches the upstream empty (docs/hosts.md).
        found.retain(|name, values| {
            values != &[""] || expected.get(name).is_some_and(|values| values == &[""])
        });
    }
    for map in [&mut expected, &mut found] {
        map.retain(|name, _| !name.starts_with(':') && !OF_THE_GATEWAY.contains(&&**name));
    }
    headers("at the upstream", &expected, &found)?;
    if let Some(named) = &told.host {
        let is = seen.header(":authority").or(seen.header("host"));
        if is.as_deref() != Some(named) {
            return Err(format!("the host is {is:?} instead of {named}"));
        }
    }
    let body = match &told.b {
        Some(text) => text.clone().into_bytes(),
        None => asked.body().unwrap_or_default(),
    };
    let kind = found.get("content-type").map(|values| values.concat()).unwrap_or_default();
    match same_body(&body, &seen.body, &kind) {
        true => Ok(()),
        false => Err(format!(
            "the body is {:?} instead of {:?}",
            seen.text(),
            String::from_utf8_lossy(&body)
        )),
    }
}

/// Compares the response at the client. `whole` includes the body.
pub fn reply(asked: &Asked, seen: &Response, whole: bool) -> Result<(), String> {
    if seen.status != asked.s {
        return Err(format!(
            "the status is {} {} instead of {}",
            seen.status,
            seen.text(),
            asked.s
        ));
    }
    if whole {
        let found = match serde_json::from_slice::<Value>(&seen.body) {
            Ok(Value::Object(mut members)) => {
                members.remove("request_id");
                Value::Object(members)
            }
            _ => Value::String(seen.text()),
        };
        let expected = asked.m.clone().unwrap_or_else(|| Value::String(String::new()));
        if found != expected {
            return Err(format!("the body is {found} instead of {expected}"));
        }
    }
    let mut expected = Headers::new();
    for (name, value) in asked.r.iter().flat_map(|(name, value)| values(name, value)) {
        expected.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let mut found = collected(&seen.headers);
    for map in [&mut expected, &mut found] {
        map.retain(|name, _| !LEFT_OUT.contains(&&**name));
        if asked.s == 502 {
            // The page is the gateway's own.
            map.remove("content-type");
        }
        for (name, values) in map.iter_mut() {
            if name == "set-cookie" {
                values.iter_mut().for_each(|value| *value = without_value(value));
            }
            if name == "session-id" {
                values.iter_mut().for_each(|value| *value = format!("{} characters", value.len()));
            }
            values.sort();
        }
    }
    for name in ["ratelimit-reset", "retry-after"] {
        // The two clocks may have been on either side of a second.
        let number = |map: &Headers| map.get(name)?.first()?.parse::<i64>().ok();
        if let (Some(told), Some(ours)) = (number(&expected), number(&found))
            && (told - ours).abs() == 1
        {
            expected.remove(name);
            found.remove(name);
        }
    }
    headers("at the client", &expected, &found)
}

/// Returns a `Set-Cookie` without its value, which is encrypted anew each time, and in the order of
/// its attributes' names.
fn without_value(cookie: &str) -> String {
    let (name, rest) = cookie.split_once('=').unwrap_or((cookie, ""));
    let mut attributes: Vec<&str> = rest.split(';').skip(1).map(str::trim).collect();
    attributes.sort();
    format!("{name}; {}", attributes.join("; "))
}

fn collected(all: &[(String, Vec<u8>)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in all {
        let value = String::from_utf8_lossy(value).into_owned();
        headers.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    headers
}

fn headers(place: &str, expected: &Headers, found: &Headers) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let missing: Vec<String> = expected
        .iter()
        .filter(|(name, values)| found.get(*name) != Some(*values))
        .map(|(name, values)| format!("{name}: {}", values.join(", ")))
        .collect();
    let more: Vec<String> = found
        .iter()
        .filter(|(name, values)| expected.get(*name) != Some(*values))
        .map(|(name, values)| format!("{name}: {}", values.join(", ")))
        .collect();
    Err(format!("{place} [{}] instead of [{}]", more.join("; "), missing.join("; ")))
}

/// Compares two bodies as what they are: JSON, a form, or bytes.
fn same_body(expected: &[u8], found: &[u8], kind: &str) -> bool {
    if expected == found {
        return true;
    }
    if kind.contains("json") {
        let [expected, found] = [expected, found].map(serde_json::from_slice::<Value>);
        return matches!((expected, found), (Ok(expected), Ok(found)) if expected == found);
    }
    if kind.contains("urlencoded") {
        let [expected, found] = [expected, found].map(|body| {
            let mut all = pairs(&String::from_utf8_lossy(body));
            all.sort();
            all
        });
        return expected == found;
    }
    if let Some((_, boundary)) = kind.split_once("boundary=") {
        let delimiter = format!("--{}", boundary.trim_matches('"'));
        let [expected, found] = [expected, found].map(|body| {
            let text = String::from_utf8_lossy(body).into_owned();
            let mut parts: Vec<String> =
                text.split(&delimiter).map(|part| part.trim().to_owned()).collect();
            parts.sort();
            parts
        });
        return expected == found;
    }
    false
}

/// Returns the decoded names and values of a query or a form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    };
    parts.map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escape.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
