//! The request as a JSON document, for `echo`.

use exchange::{Entity, Named, Query, Request, split_target};
use serde_json::{Map, Value, json};

/// The greatest number of headers and of parameters that are shown, as in Kong.
const MOST: usize = 100;

/// Returns the document for `request`, with the part of its body that the gateway delivered.
pub(crate) fn document(request: &Request, body: Option<&[u8]>, message: Option<String>) -> Vec<u8> {
    let (path, _) = split_target(&request.target);
    let mut shown = Map::new();
    let mut show = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), value);
        }
    };
    show("scheme", request.origin.scheme.clone().map(Value::from));
    show("host", request.origin.host.clone().map(Value::from));
    show("port", request.origin.port.map(Value::from));
    show("method", Some(text(&request.method)));
    show("path", Some(text(path)));
    show("headers", Some(headers(request)));
    show("query", Some(parameters(Query::of_target(&request.target))));
    show("raw_body", body.map(text));
    let content_type = request.head.text("content-type").unwrap_or_default();
    show("body", body.and_then(|body| parsed(content_type, body)));
    let mut document = Map::new();
    if let Some(message) = message {
        document.insert("message".to_owned(), message.into());
    }
    document.insert("request".to_owned(), shown.into());
    for (name, entity, named) in [
        ("matched_route", &request.entities.route, &request.route),
        ("matched_service", &request.entities.service, &request.service),
    ] {
        if let Some(value) = matched(entity, named) {
            document.insert(name.to_owned(), value);
        }
    }
    Value::from(document).to_string().into_bytes()
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

/// Returns every header by its name in lower case. `host` is among them even if the gateway has
/// another name for it.
fn headers(request: &Request) -> Value {
    let mut all = Map::new();
    for (name, value) in request.head.fields().take(MOST) {
        // Pseudo-headers are left out, because method, path and host are shown anyway.
        if !name.starts_with(b":") {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            add(&mut all, name, text(value));
        }
    }
    all.entry("host").or_insert_with(|| text(request.head.host()));
    all.into()
}

/// Returns every parameter by its name. A parameter without a value is `true`, as in Kong.
fn parameters(query: Query<'_>) -> Value {
    let mut all = Map::new();
    for (name, value) in query.pairs().take(MOST) {
        let name = String::from_utf8_lossy(&name).into_owned();
        add(&mut all, name, value.map_or(Value::from(true), |value| text(&value)));
    }
    all.into()
}

/// Adds a value. A name that occurs again gets a list.
fn add(all: &mut Map<String, Value>, name: String, value: Value) {
    match all.get_mut(&name) {
        None => drop(all.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = json!([first.take(), value]),
    }
}

/// Parses a JSON document or a form.
fn parsed(content_type: &str, body: &[u8]) -> Option<Value> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => serde_json::from_slice(body).ok(),
        "application/x-www-form-urlencoded" => Some(parameters(Query::new(body))),
        _ => None,
    }
}

/// Returns Kong's entity, or the name that Envoy knows.
fn matched(entity: &Entity, named: &Named) -> Option<Value> {
    match entity {
        Entity::Json(json) => serde_json::from_slice(json).ok(),
        Entity::Unknown | Entity::Metadata(_) => {
            let (id, name) = (named.id.as_deref(), named.name.as_deref());
            let known = [("id", id), ("name", name)];
            let known: Map<String, Value> = known
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.into())))
                .collect();
            (!known.is_empty()).then(|| known.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Entities, Head, Origin};

    fn echoed(request: &Request, body: Option<&[u8]>) -> Value {
        serde_json::from_slice(&document(request, body, Some("Not found".into()))).unwrap()
    }

    #[test]
    fn a_request_is_shown_as_kong_shows_it() {
        let request = Request {
            head: Head::from_iter([
                ("Host", "api.test:8000"),
                ("X-Twice", "1"),
                ("x-twice", "2"),
                ("content-length", "9"),
            ]),
            method: b"GET".to_vec(),
            target: b"/status/200?hello=there&flag&a=1&a=2".to_vec(),
            origin: Origin {
                scheme: Some("http".into()),
                host: Some("api.test".into()),
                port: Some(8000),
            },
            entities: Entities {
                route: Entity::Json(br#"{"hosts":["api.test"]}"#.to_vec()),
                service: Entity::Unknown,
            },
            service: Named { id: None, name: Some("upstream".into()) },
            ..Request::default()
        };
        assert_eq!(
            echoed(&request, Some(b"cool body")),
            json!({
                "message": "Not found",
                "request": {
                    "scheme": "http", "host": "api.test", "port": 8000, "method": "GET", "path": "/status/200",
                    "headers": {"host": "api.test:8000", "x-twice": ["1", "2"], "content-length": "9"},
                    "query": {"hello": "there", "flag": true, "a": ["1", "2"]},
                    "raw_body": "cool body",
                },
                "matched_route": {"hosts": ["api.test"]},
                "matched_service": {"name": "upstream"},
            })
        );
    }

    #[test]
    fn a_body_is_taken_apart_where_its_type_says_how() {
        for (content_type, body, expected) in [
            ("application/json", r#"{"a":[1]}"#, json!({"a": [1]})),
            ("application/json; charset=utf-8", "{", Value::Null),
            ("application/x-www-form-urlencoded", "a=1&b", json!({"a": "1", "b": true})),
            ("text/plain", "a=1", Value::Null),
        ] {
            let head = Head::from_iter([("content-type", content_type)]);
            let request = Request { head, ..Request::default() };
            let shown = echoed(&request, Some(body.as_bytes()));
            assert_eq!(shown["request"]["body"], expected, "{content_type} {body}");
            assert_eq!(shown["request"]["raw_body"], body);
        }
    }

    #[test]
    fn bytes_that_are_no_text_and_too_many_fields_are_shown_as_far_as_possible() {
        let many = (0..500).map(|n| (format!("x-{n}").into_bytes(), b"\xff".to_vec()));
        let head: Head = many.chain([(b"\xff".to_vec(), b"\0".to_vec())]).collect();
        let target = format!("/\u{fffd}?{}", "a=%ff&".repeat(500)).into_bytes();
        let shown = echoed(&Request { head, target, ..Request::default() }, None);
        // The host comes in addition, because it is always there.
        assert_eq!(shown["request"]["headers"].as_object().map(Map::len), Some(MOST + 1));
        assert_eq!(shown["request"]["query"]["a"].as_array().map(Vec::len), Some(MOST));
        assert_eq!(shown["request"].get("raw_body"), None);
    }
}
