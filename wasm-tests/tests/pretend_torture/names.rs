//! Nothing that a filter reads of a request is forgotten by the families of the torture set.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tests::torture::{
    COOKIES, FRAMING, HEADERS, IDENTITY, OWNED, PARAMETERS, Pretend, Shape, all_filters, alone,
    literals,
};

/// Header names of one word (RFC 9110 and its like), which look like any other word in the code.
const WORDS: [&str; 30] = [
    "accept",
    "age",
    "authorization",
    "baggage",
    "connection",
    "cookie",
    "date",
    "dpop",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "link",
    "location",
    "origin",
    "pragma",
    "range",
    "referer",
    "server",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "upgrade",
    "vary",
    "via",
    "warning",
];

/// Texts in the code that look like the name of a request header and are none that a filter reads.
const OTHERS: [(&str, &[&str]); 5] = [
    (
        "headers of responses",
        &[
            "access-control-allow-credentials",
            "access-control-allow-headers",
            "access-control-allow-methods",
            "access-control-allow-origin",
            "access-control-allow-private-network",
            "access-control-expose-headers",
            "access-control-max-age",
            "cache-control",
            "date",
            "etag",
            "grpc-message",
            "grpc-status",
            "last-modified",
            "location",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "retry-after",
            "server",
            "set-cookie",
            "vary",
            "via",
            "www-authenticate",
            "x-moesif-config-etag",
            "x-moesif-rules-tag",
            "x-ratelimit-limit-day",
            "x-ratelimit-limit-hour",
            "x-ratelimit-limit-minute",
            "x-ratelimit-limit-month",
            "x-ratelimit-limit-second",
            "x-ratelimit-limit-year",
            "x-ratelimit-remaining-day",
            "x-ratelimit-remaining-hour",
            "x-ratelimit-remaining-minute",
            "x-ratelimit-remaining-month",
            "x-ratelimit-remaining-second",
            "x-ratelimit-remaining-year",
        ],
    ),
    ("headers of callouts", &["gatehouse-node"]),
    ("headers of the parts of a multipart body", &["content-disposition"]),
    (
        "names of other things",
        &[
            "iso-8859-1",
            "key-auth",
            "key-auths",
            "mistralai-user",
            "p-256",
            "p-384",
            "p-521",
            "us-ascii",
            "utf-8",
            "windows-1252",
            "x-gzip",
        ],
    ),
    (
        "parts of names of the session's headers",
        &["absolute-timeout", "idling-timeout", "rolling-timeout"],
    ),
];

/// Returns `true` for a text with the form of a header's name of several words.
fn has_hyphens(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    text.contains('-')
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split('-').all(word)
}

/// The headers that the family "duplicates" sends.
fn tried() -> BTreeSet<String> {
    let all = HEADERS.iter().map(|(name, _, _)| *name);
    let all = all.chain(FRAMING.iter().map(|(name, _)| *name)).chain(IDENTITY).chain(OWNED);
    all.map(str::to_owned).collect()
}

#[test]
fn every_header_name_in_the_code_of_a_filter_is_tried_or_is_known_not_to_be_read() {
    let tried = tried();
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for literal in literals() {
        let text = literal.text.to_ascii_lowercase();
        let is_word = WORDS.contains(&text.as_str());
        if has_hyphens(&text) || is_word || (literal.looked_up && !text.starts_with(':')) {
            named.entry(text).or_insert(literal.file);
        }
    }
    assert!(named.len() > 80, "the names of the code: {named:?}");
    let others: BTreeSet<&str> =
        OTHERS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let forgotten: Vec<_> = named
        .iter()
        .filter(|(name, _)| !tried.contains(*name) && !others.contains(name.as_str()))
        .collect();
    assert!(
        forgotten.is_empty(),
        "add these to HEADERS in src/torture/read.rs, or here to OTHERS: {forgotten:?}"
    );
    let stale: Vec<_> = others.iter().filter(|name| !named.contains_key(**name)).collect();
    assert!(stale.is_empty(), "no code names these any more: {stale:?}");
    let both: Vec<_> = others.iter().filter(|name| tried.contains(**name)).collect();
    assert!(both.is_empty(), "these are tried: {both:?}");
}

/// What a setting names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Header,
    Parameter,
    Cookie,
}

/// Settings with the form of a name in a request under which no filter looks into head or query:
/// for responses, for the attributes of a cookie, and for a field of the body.
const ELSEWHERE: [&str; 6] = [
    "cors.exposed_headers",
    "cors.headers",
    "moesif.response_header_masks",
    "session.cookie_domain",
    "session.cookie_path",
    "session.logout_post_arg",
];

/// Returns the settings of a filter that name something in a request, by their schema. What stands
/// in lists of objects is left out: jwt_auth's providers name headers that it sets and owns.
fn naming(filter: &str, schema: &Value) -> Vec<(String, Kind)> {
    let mut all = Vec::new();
    let members = schema["properties"].as_object();
    for (name, member) in members.into_iter().flatten() {
        let path = format!("{filter}.{name}");
        all.extend(naming(&path, member));
        let text = member.to_string();
        let is_text = text.contains(r#""type":"string""#) && !text.contains(r#""properties""#);
        // The pattern of a header's name, alone or before a value.
        let is_header = text.contains("^[a-zA-Z0-9_-]+") || name.contains("header");
        let is_parameter = ["param", "query", "_arg"].iter().any(|part| name.contains(part));
        let is_cookie = name.contains("cookie");
        let names_something = is_text && (is_cookie || is_parameter || is_header);
        if !names_something || ELSEWHERE.contains(&path.as_str()) {
            continue;
        }
        let kind = if is_cookie {
            Kind::Cookie
        } else if is_parameter {
            Kind::Parameter
        } else {
            Kind::Header
        };
        all.push((path, kind));
    }
    all
}

/// The names in the value of a setting: a text, a list, or the keys of an object. A value may stand
/// behind a colon.
fn names(value: &Value) -> Vec<String> {
    let of = |text: &str| text.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    match value {
        Value::String(text) => text.split(',').map(of).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(of).collect(),
        Value::Object(members) => members.keys().map(|name| of(name)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_setting_that_names_something_in_a_request_is_set_and_what_it_names_is_tried() {
    let mut documents: Vec<(&str, Value)> = all_filters(None);
    let alone = alone();
    documents.extend(alone.iter().map(|alone| (alone.filter, alone.settings.clone())));
    let is_tried = |kind: Kind, name: &str| {
        let in_alone = alone.iter().any(|alone| {
            let of = match kind {
                Kind::Header => alone.headers,
                Kind::Parameter => alone.parameters,
                Kind::Cookie => alone.cookies,
            };
            of.iter().any(|(known, _)| *known == name)
        });
        in_alone
            || match kind {
                Kind::Header => tried().contains(name),
                Kind::Parameter => PARAMETERS.iter().any(|(known, _)| *known == name),
                Kind::Cookie => COOKIES.iter().any(|(known, _)| *known == name),
            }
    };
    let (mut unset, mut untried, mut known) = (Vec::new(), Vec::new(), 0);
    for entry in all_filters::FILTERS {
        let meta = (entry.meta)();
        for (path, kind) in naming(entry.name, &meta["config_schema"]) {
            known += 1;
            let mine = documents.iter().filter(|(filter, _)| *filter == entry.name);
            let set: Vec<String> = mine
                .filter_map(|(_, settings)| {
                    let mut members = path.split('.').skip(1);
                    members.try_fold(settings, |value, member| value.get(member))
                })
                .flat_map(names)
                .collect();
            if set.is_empty() {
                unset.push(path.clone());
            }
            let missing = set.into_iter().filter(|name| !is_tried(kind, name));
            untried.extend(missing.map(|name| format!("{path}: {name}")));
        }
    }
    assert!(known > 20, "{known} settings");
    assert!(unset.is_empty(), "no document of alone() or all_filters() has these: {unset:?}");
    assert!(untried.is_empty(), "no request of the torture set has these: {untried:?}");
}

/// The properties that filters read. A client chooses some of them; the family that does so.
const PROPERTIES: [(&str, &str); 7] = [
    ("request.path", "targets"),
    ("request.protocol", "lines"),
    ("ngx.args", "targets"),
    ("ngx.upstream_uri", "targets"),
    ("source.address", "the client's connection"),
    ("ngx.remote_addr", "the client's connection"),
    ("ngx.remote_port", "the client's connection"),
];

/// Beginnings of properties that a client has no part in: what the operator has configured, what
/// filters leave for one another, and what the gateway says of itself.
const OPERATORS: [&str; 12] = [
    "gatehouse_",
    "ngx.gatehouse_",
    "xds.",
    "kong.",
    "plugin_",
    "node.",
    "ngx.connection",
    "ngx.hostname",
    "ngx.kong_request_id",
    "ngx.nginx_version",
    "ngx.pid",
    "ngx.request_id",
];

#[test]
fn every_property_and_header_that_a_filter_asks_the_gateway_for_is_known() {
    let mut asked = BTreeSet::new();
    for kong in [false, true] {
        let mut chain = Pretend::chain(kong);
        let credentials = chain.credentials();
        chain.assert_normal(&credentials);
        asked.extend(chain.proxy().asked());
        for alone in alone() {
            let mut pretend = Pretend::alone(kong, &alone);
            for shape in alone.shapes().into_iter().step_by(97) {
                pretend.send(&shape);
            }
            pretend.send(&Shape::nobody("names"));
            asked.extend(pretend.proxy().asked());
        }
    }
    let tried = tried();
    let unknown: Vec<_> = asked
        .iter()
        .filter(|(what, name)| match *what {
            "property" => {
                let is_known = PROPERTIES.iter().any(|(known, _)| known == name);
                !is_known && !OPERATORS.iter().any(|beginning| name.starts_with(beginning))
            }
            _ => !name.starts_with(':') && !tried.contains(name),
        })
        .collect();
    assert!(unknown.is_empty(), "say where these come from, and try them: {unknown:?}");
    let named = |wanted: &str| asked.iter().any(|(_, name)| name == wanted);
    assert!(named("source.address") && named("request.path"), "{asked:?}");
}
