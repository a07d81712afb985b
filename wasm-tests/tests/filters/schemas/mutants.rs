//! Documents with one wrong place: the schema and the filter agree on each of them.

use super::{subjects, validator};
use serde_json::{Map, Value, json};

/// Values that replace every value of a document.
fn intruders() -> Vec<Value> {
    let long = |len: usize| Value::from("x".repeat(len));
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(5),
        json!(16),
        json!(1.5),
        json!(5.0),
        json!(1e3),
        json!(60_001),
        json!(86_401),
        json!(1e12),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("x"),
        json!("X-Y_z"),
        json!("a b"),
        json!("a\n"),
        json!("\u{0}"),
        json!("é"),
        json!("\""),
        json!("/"),
        json!("/a//b"),
        json!("/a/../b"),
        json!("/."),
        json!("/a%20b"),
        json!("a/b"),
        json!("*.x"),
        json!("*"),
        json!("*."),
        json!("x.*"),
        json!("[::1]"),
        json!("[x]"),
        json!("[]"),
        json!("host:80"),
        json!("GET"),
        json!("get"),
        json!("lazy"),
        json!("full"),
        json!("http"),
        json!("https"),
        json!("SET"),
        json!("1X"),
        json!("zone_1"),
        json!("Zone"),
        json!("5"),
        json!("true"),
        long(65),
        long(257),
        long(1025),
        long(4097),
        long(65_537),
        json!([]),
        json!([[]]),
        json!([""]),
        json!(["x"]),
        json!(["x", 1]),
        json!([null]),
        json!([{}]),
        json!({}),
        json!({"x": 1}),
        json!({"": []}),
        json!({"x": ["y"]}),
        json!({"group": "g"}),
    ]
}

/// Every document that differs from `document` in one place.
fn mutants(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    visit(document, &mut Vec::new(), &mut |path, value| {
        for intruder in intruders() {
            all.push((
                format!("{} = {intruder}", path.join(".")),
                put(document, path, Some(intruder)),
            ));
        }
        all.push((format!("without {}", path.join(".")), put(document, path, None)));
        if value.is_object() {
            let mut extra = path.to_vec();
            for name in ["unknown", "", "Admin", "key_auth"] {
                extra.push(name.to_owned());
                all.push((
                    format!("{} added", extra.join(".")),
                    put(document, &extra, Some(json!(1))),
                ));
                extra.pop();
            }
        }
        if let Some(items) = value.as_array() {
            for more in items.iter().cloned().chain(intruders()) {
                let longer: Vec<Value> = items.iter().cloned().chain([more.clone()]).collect();
                let what = format!("{} with {more} at its end", path.join("."));
                all.push((what, put(document, path, Some(longer.into()))));
            }
        }
    });
    all
}

fn visit(value: &Value, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &Value)) {
    each(path, value);
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        path.push(name);
        visit(child, path, each);
        path.pop();
    }
}

/// The document with another value at `path`, or without it.
fn put(document: &Value, path: &[String], new: Option<Value>) -> Value {
    let Some((first, rest)) = path.split_first() else { return new.unwrap_or(Value::Null) };
    let mut changed = document.clone();
    match &mut changed {
        Value::Object(members) => {
            let inner = members.get(first).cloned().unwrap_or(Value::Null);
            match (rest.is_empty(), new) {
                (true, None) => drop(members.remove(first)),
                (true, Some(new)) => drop(members.insert(first.clone(), new)),
                (false, new) => drop(members.insert(first.clone(), put(&inner, rest, new))),
            }
        }
        Value::Array(items) => {
            let at: usize = first.parse().expect("an index");
            match (rest.is_empty(), new) {
                (true, None) => drop(items.remove(at)),
                (true, Some(new)) => items[at] = new,
                (false, new) => items[at] = put(&items[at], rest, new),
            }
        }
        _ => panic!("{path:?} leads nowhere"),
    }
    changed
}

/// The errors of the filters that no draft-04 schema can express. For these alone the schema may
/// accept a document that the filter refuses.
const BEYOND: &[&str] = &[
    // Relations between settings.
    "found neither `admin` nor",
    "found no limit",
    "expected at least the limit for",
    "found neither `consumers` nor",
    "found without `algorithm`",
    "found `token_bucket` with",
    "expected the header to count by",
    "expected the path to count",
    "found something between",
    "found with `policy` `local`",
    "found without `admin`",
    "found \"full\" without `admin`",
    "found a name that is not in `consumers`",
    "found the same value in an earlier consumer",
    "found a key (not shown) that an earlier credential has",
    "found a consumer without a name",
    "found nothing, expected the API key",
    "found together with `",
    "found true without `trust_consumer_headers`",
    // Keys, and combinations of settings of jwt_auth.
    "expected the name of a claim",
    "found without `consumer_claim`",
    "JWT credential `",
    "found a limit without `exp`",
    "expected one of `jwks_uri`",
    "found no usable key",
    "found something else (not shown; ",
    "expected where to fetch the keys",
    "found an algorithm with a shared secret",
    "found a header that the gateway",
    "found the header `",
    "found the same value in an earlier provider",
    // Keys and claims of upstream_jwt.
    "found nothing, expected `private_key`",
    "entries with `active: true`",
    "that cannot be used",
    "found the public key of another private key",
    "found no private key in the active entry",
    "found no key, expected `private_key`",
    "expected a name that tells the keys apart",
    "found it twice",
    "found true without `x5c`",
    "found true without a certificate",
    "found no usable environment variable",
    "found a claim that",
    "found a registered claim",
    "found another name, expected a header name",
    "expected a header of the token's own",
    // Combinations of settings of session, and the lists of its service.
    "found nothing to use",
    "without `admin`, expected an admin service",
    "sessions are looked up one by one",
    "found a name that the session's own cookies have",
    "found another value than under the setting's name of today",
    "expected what can be listed",
    "found no usable value in",
    // request_termination: a body excludes a message.
    "found without `body`",
    // Regular expressions of bot_detection and cors, and names that bot_detection refuses.
    "expected a regular expression",
    "found too much in",
    "expected `*`, an origin or a regular expression",
    "found a header that the gateway",
    // Templates of request_transformer, and the places that allow none.
    "expected a template",
    "found CONNECT",
    "found a path that servers read",
    "found a capture that",
    // Addresses, of which a pattern describes only the characters.
    "expected an IP address",
    "found neither `allow` nor",
    // The collector and the application id of moesif.
    "found nothing, expected the application id",
    // The environment of the gateway.
    "found no environment variable",
    "found an unusable value in",
];

/// Returns `true` if a text of the document has more bytes than characters, which draft-04 counts.
fn has_wide_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_ascii(),
        Value::Array(items) => items.iter().any(has_wide_text),
        Value::Object(members) => members.values().any(has_wide_text),
        _ => false,
    }
}

/// The document as an operator of Kong would write it. The filter takes `null` for unset, and `5.0`
/// for the whole number that Envoy makes of 5; to a schema both have the wrong type. Kong's Lua
/// cannot tell `[]` from `{}`, so that the filter takes either for an empty object. In these
/// differences the schema is the stricter one.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && (0.0..1e15).contains(&float) => {
                Value::from(float as u64)
            }
            _ => value.clone(),
        },
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) if items.is_empty() => json!({}),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[test]
fn schema_and_filter_agree_on_every_document_that_differs_in_one_place() {
    let mut unnamed = Vec::new();
    for subject in subjects() {
        let validator = validator(&subject);
        let (mut both, mut neither, mut stricter) = (0, 0, 0);
        for document in &subject.full {
            for (what, mutant) in mutants(document) {
                let mutant = plain(&mutant);
                let read = subject.read(&mutant.to_string());
                match (validator.is_valid(&mutant), &read) {
                    (true, Ok(())) => both += 1,
                    (false, Err(_)) => neither += 1,
                    (true, Err(problem)) => {
                        let named = BEYOND.iter().any(|rule| problem.contains(rule));
                        if !named && !has_wide_text(&mutant) {
                            unnamed.push(format!("{} {what}: {problem}", subject.name));
                        }
                        stricter += 1;
                    }
                    // A text is the form for Kong 3.4, which uses no schema.
                    (false, Ok(())) if !mutant.is_object() => neither += 1,
                    (false, Ok(())) => {
                        let problems: Vec<String> = validator
                            .iter_errors(&mutant)
                            .map(|e| format!("{}: {e}", e.instance_path()))
                            .collect();
                        panic!("{} {what}: only the schema minds: {problems:?}", subject.name);
                    }
                }
            }
        }
        println!(
            "{}: {both} accepted by both, {neither} by neither, {stricter} only by the schema",
            subject.name
        );
        assert!(both > 300 && neither > 1000, "{}: {both} {neither}", subject.name);
        assert!(stricter * 10 < both + neither, "{}: {stricter}", subject.name);
    }
    assert!(unnamed.is_empty(), "only the filter minds: {unnamed:#?}");
}

#[test]
fn an_empty_object_is_an_empty_list_to_both() {
    // Kong's Lua cannot tell the two apart.
    for subject in subjects() {
        let validator = validator(&subject);
        for document in &subject.full {
            visit(document, &mut Vec::new(), &mut |path, value| {
                if value.is_array() {
                    let emptied = put(document, path, Some(json!({})));
                    assert!(validator.is_valid(&emptied), "{} {path:?}", subject.name);
                    if let Err(problem) = subject.read(&emptied.to_string()) {
                        assert!(
                            BEYOND.iter().any(|rule| problem.contains(rule)),
                            "{} {path:?}: {problem}",
                            subject.name
                        );
                    }
                }
            });
        }
    }
}
