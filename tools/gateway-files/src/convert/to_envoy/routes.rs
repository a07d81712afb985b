//! The routes, in the order in which Kong's router would try them.

use super::clusters::{self, Location};
use super::{HttpFilter, duration, number, typed};
use crate::convert::kong_file::{KongFile, Route};
use crate::convert::notes::Notes;
use crate::convert::route_name;
use crate::convert::values::{map, put, text, texts};
use serde_norway::{Mapping, Value};
use std::collections::BTreeSet;

/// One path of a route of Kong.
struct Rule<'a> {
    number: usize,
    route: &'a Route,
    path: Option<String>,
    hosts: Vec<String>,
}

/// Returns the route configuration.
pub(super) fn config(file: &KongFile, filters: &[HttpFilter], notes: &mut Notes) -> Value {
    let mut rules = rules(file, notes);
    rules.sort_by_key(|rule| std::cmp::Reverse(rank(rule)));
    let mut domains: Vec<String> = Vec::new();
    for host in rules.iter().flat_map(|rule| &rule.hosts) {
        if !domains.contains(host) {
            domains.push(host.clone());
        }
    }
    let mut hosts = Vec::new();
    for domain in &domains {
        let own: Vec<&Rule<'_>> = rules
            .iter()
            .filter(|rule| {
                rule.hosts.is_empty() || rule.hosts.iter().any(|host| covers(host, domain))
            })
            .collect();
        // A host may come with a port, which Kong does not look at.
        let names = match domain.contains('*') || domain.contains(':') {
            true => vec![domain.clone()],
            false => vec![domain.clone(), format!("{domain}:*")],
        };
        hosts.push(virtual_host(domain, &names, &own, file, filters));
    }
    let rest: Vec<&Rule<'_>> = rules.iter().filter(|rule| rule.hosts.is_empty()).collect();
    hosts.push(virtual_host("any", &["*".to_owned()], &rest, file, filters));
    Value::Mapping(map([("name", "kong".into()), ("virtual_hosts", Value::Sequence(hosts))]))
}

fn rules<'a>(file: &'a KongFile, notes: &mut Notes) -> Vec<Rule<'a>> {
    let mut all = Vec::new();
    for (number, route) in file.routes.iter().enumerate() {
        let value = &route.entity.value;
        if !told(file, route, notes) {
            continue;
        }
        let hosts: Vec<String> =
            texts(value.get("hosts")).iter().map(|host| host.to_ascii_lowercase()).collect();
        let paths = texts(value.get("paths"));
        let paths: Vec<Option<String>> =
            if paths.is_empty() { vec![None] } else { paths.into_iter().map(Some).collect() };
        for path in paths {
            let path = path.map(|path| marked(file, path));
            all.push(Rule { number, route, path, hosts: hosts.clone() });
        }
    }
    all
}

/// Marks an expression by `~`, as Kong 3 does.
fn marked(file: &KongFile, path: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._~/%-".contains(c);
    if file.version.starts_with('3') || path.chars().all(plain) { path } else { format!("~{path}") }
}

/// Tells what of a route is not carried over. Returns `false` if nothing of it is.
fn told(file: &KongFile, route: &Route, notes: &mut Notes) -> bool {
    const KNOWN: [&str; 20] = [
        "id",
        "name",
        "paths",
        "hosts",
        "methods",
        "headers",
        "protocols",
        "strip_path",
        "preserve_host",
        "regex_priority",
        "path_handling",
        "tags",
        "service",
        "plugins",
        "created_at",
        "updated_at",
        "request_buffering",
        "response_buffering",
        "filter_chains",
        "https_redirect_status_code",
    ];
    let (value, place) = (&route.entity.value, &route.entity.place);
    let protocols = texts(value.get("protocols"));
    let is_http = |protocol: &String| {
        ["http", "https", "grpc", "grpcs", "ws", "wss"].contains(&protocol.as_str())
    };
    if !protocols.is_empty() && !protocols.iter().any(is_http) {
        notes.lost(
            place,
            "a route for connections (TCP, TLS, UDP) is not written: filters judge HTTP requests",
        );
        return false;
    }
    if value.get("expression").is_some_and(|expression| !expression.is_null()) {
        notes.lost(
            &place.member("expression"),
            "routes in Kong's language of expressions are not written",
        );
        return false;
    }
    for (name, other) in value {
        let name = name.as_str().unwrap_or_default();
        if !KNOWN.contains(&name) && !other.is_null() {
            notes.lost(&place.member(name), "Envoy's route is written without it");
        }
    }
    if protocols.iter().all(|protocol| protocol.ends_with('s')) && !protocols.is_empty() {
        let message = "the listener speaks plain HTTP, and serves this route too: give it TLS, or `require_tls`";
        notes.lost(&place.member("protocols"), message);
    }
    if text(value, "path_handling") == Some("v1") {
        notes.lost(
            &place.member("path_handling"),
            "slashes between the service's path and the rest are those of v0",
        );
    }
    for name in ["request_buffering", "response_buffering"] {
        if value.get(name).and_then(Value::as_bool) == Some(true) {
            notes.differs(
                &place.member(name),
                "Envoy streams, unless a filter needs the whole body",
            );
        }
    }
    let grows = route.service.and_then(|number| file.services.get(number));
    if grows.is_none() {
        notes.differs(
            place,
            "has no service: Envoy answers 503 after the filters, Kong before them",
        );
    }
    true
}

/// Returns a rule's place in Kong's order; the greatest is tried first: more kinds of conditions,
/// exact hosts before wildcards, more headers, expressions by their priority before prefixes, and
/// long paths before short ones (Kong 3's `traditional_compatible`).
fn rank(rule: &Rule<'_>) -> (usize, bool, usize, bool, u64, usize) {
    let value = &rule.route.entity.value;
    let headers = value.get("headers").and_then(Value::as_mapping).map_or(0, Mapping::len);
    let kinds = [
        !rule.hosts.is_empty(),
        rule.path.is_some(),
        !texts(value.get("methods")).is_empty(),
        headers > 0,
    ];
    let path = rule.path.as_deref().unwrap_or_default();
    let is_expression = path.starts_with('~');
    let plain_host = !rule.hosts.is_empty() && rule.hosts.iter().all(|host| !host.contains('*'));
    let kinds = kinds.into_iter().filter(|kind| *kind).count();
    (kinds, plain_host, headers, is_expression, number(value, "regex_priority", 0), path.len())
}

/// Returns `true` if a route for `host` is a route for the virtual host `domain` too.
fn covers(host: &str, domain: &str) -> bool {
    host == domain
        || host
            .strip_prefix('*')
            .is_some_and(|end| domain.len() > end.len() && domain.ends_with(end))
        || host
            .strip_suffix('*')
            .is_some_and(|start| domain.len() > start.len() && domain.starts_with(start))
}

fn virtual_host(
    name: &str,
    domains: &[String],
    rules: &[&Rule<'_>],
    file: &KongFile,
    filters: &[HttpFilter],
) -> Value {
    let mut routes: Vec<Value> =
        rules.iter().flat_map(|rule| entries(rule, file, filters)).collect();
    let body = r#"{"message":"no Route matched with those values"}"#;
    let everything = map([("prefix", "/".into())]);
    routes.push(Value::Mapping(map([
        ("name", "no-route".into()),
        ("match", Value::Mapping(everything)),
        ("direct_response", reply(404, body)),
    ])));
    Value::Mapping(map([
        ("name", name.into()),
        ("domains", crate::convert::values::list(domains)),
        ("routes", Value::Sequence(routes)),
    ]))
}

fn reply(status: u16, body: &str) -> Value {
    let body = map([("inline_string", body.into())]);
    Value::Mapping(map([("status", status.into()), ("body", Value::Mapping(body))]))
}

/// Returns the entries of a rule: two where the service has a path of its own, since the rest of
/// the request's path may be empty.
fn entries(rule: &Rule<'_>, file: &KongFile, filters: &[HttpFilter]) -> Vec<Value> {
    let value = &rule.route.entity.value;
    let strips = value.get("strip_path").and_then(Value::as_bool) != Some(false);
    let at = rule
        .route
        .service
        .and_then(|n| file.services.get(n))
        .map(|one| clusters::location(&one.value));
    let path = rule.path.as_deref();
    let service_path = at.as_ref().and_then(|at| at.path.clone());
    let mut all = Vec::new();
    if let (Some(own), Some(prefix), true) = (&service_path, path, strips)
        && !prefix.starts_with('~')
        && prefix != "/"
    {
        let exact = map([("path", prefix.trim_end_matches('/').into())]);
        let own = if own.len() > 1 { own.trim_end_matches('/') } else { own };
        all.push(entry(rule, file, filters, exact, &at, Some(("prefix_rewrite", own.into()))));
    }
    let matching = match path {
        None => map([("prefix", "/".into())]),
        Some(path) => match path.strip_prefix('~') {
            Some(expression) => {
                let regex = map([("regex", format!("(?:{expression}).*").into())]);
                map([("safe_regex", Value::Mapping(regex))])
            }
            None => map([("prefix", path.into())]),
        },
    };
    let rewrite = rewrite(path.filter(|_| strips), service_path.as_deref());
    all.push(entry(rule, file, filters, matching, &at, rewrite));
    all
}

/// Returns the rewriting of the path: without what has matched, and below the service's path.
fn rewrite(stripped: Option<&str>, service_path: Option<&str>) -> Option<(&'static str, Value)> {
    let below = service_path.unwrap_or("/");
    let substitution = format!("{}/", below.trim_end_matches('/'));
    let pattern = match stripped {
        Some("/") | None if service_path.is_none() => return None,
        Some("/") | None => "^/".to_owned(),
        Some(path) => match path.strip_prefix('~') {
            Some(expression) => format!("^(?:{expression})/?"),
            None => format!("^{}/?", escape(path.trim_end_matches('/'))),
        },
    };
    let rewrite = map([
        ("pattern", Value::Mapping(map([("regex", pattern.into())]))),
        ("substitution", substitution.replace('\\', r"\\").into()),
    ]);
    Some(("regex_rewrite", Value::Mapping(rewrite)))
}

fn entry(
    rule: &Rule<'_>,
    file: &KongFile,
    filters: &[HttpFilter],
    mut matching: Mapping,
    at: &Option<Location>,
    rewrite: Option<(&'static str, Value)>,
) -> Value {
    let value = &rule.route.entity.value;
    let conditions = conditions(value);
    if !conditions.is_empty() {
        put(&mut matching, "headers", Value::Sequence(conditions));
    }
    let mut all =
        map([("name", route_name(file, rule.number).into()), ("match", Value::Mapping(matching))]);
    match (at, rule.route.service) {
        (Some(at), Some(service)) => {
            put(&mut all, "route", action(value, at, service, file, rewrite));
        }
        _ => {
            let body = r#"{"message":"no Service found with those values"}"#;
            put(&mut all, "direct_response", reply(503, body));
        }
    }
    let mut own = Mapping::new();
    for filter in filters {
        if filter.routes.contains(&rule.number) {
            let enabled = typed(
                "envoy.config.route.v3.FilterConfig",
                [("config", Value::Mapping(Mapping::new()))],
            );
            put(&mut own, &filter.name, enabled);
        }
    }
    if !own.is_empty() {
        put(&mut all, "typed_per_filter_config", Value::Mapping(own));
    }
    Value::Mapping(all)
}

fn action(
    value: &Mapping,
    at: &Location,
    service: usize,
    file: &KongFile,
    rewrite: Option<(&'static str, Value)>,
) -> Value {
    let entity = file.services.get(service).map(|service| &service.value);
    let setting = |name, default| entity.map_or(default, |entity| number(entity, name, default));
    let mut route = map([("cluster", clusters::name(file, service).into())]);
    if let Some((name, rewrite)) = rewrite {
        put(&mut route, name, rewrite);
    }
    if value.get("preserve_host").and_then(Value::as_bool) != Some(true) {
        let default = if at.tls { 443 } else { 80 };
        let host =
            if at.port == default { at.host.clone() } else { format!("{}:{}", at.host, at.port) };
        put(&mut route, "host_rewrite_literal", host);
    }
    // Kong limits the time between two reads, and not the whole.
    put(&mut route, "timeout", "0s");
    put(&mut route, "idle_timeout", duration(setting("read_timeout", 60_000)));
    let retries = setting("retries", 5);
    if retries > 0 {
        let policy = map([
            ("retry_on", "connect-failure,refused-stream,reset-before-request".into()),
            ("num_retries", retries.into()),
        ]);
        put(&mut route, "retry_policy", Value::Mapping(policy));
    }
    Value::Mapping(route)
}

/// Returns the conditions on the method and on headers.
fn conditions(value: &Mapping) -> Vec<Value> {
    let mut all = Vec::new();
    let methods = texts(value.get("methods"));
    if !methods.is_empty() {
        all.push(condition(":method", &methods.join("|")));
    }
    for (name, values) in value.get("headers").and_then(Value::as_mapping).into_iter().flatten() {
        let values: BTreeSet<String> = texts(Some(values)).into_iter().collect();
        let each = values.iter().map(|value| match value.strip_prefix("~*") {
            Some(expression) => format!(".*(?:{expression}).*"),
            None => escape(value),
        });
        let each: Vec<String> = each.collect();
        all.push(condition(name.as_str().unwrap_or_default(), &format!("(?i:{})", each.join("|"))));
    }
    all
}

fn condition(name: &str, regex: &str) -> Value {
    let regex = map([("regex", regex.into())]);
    let matching = map([("safe_regex", Value::Mapping(regex))]);
    Value::Mapping(map([("name", name.into()), ("string_match", Value::Mapping(matching))]))
}

/// Takes the meaning of each letter of an expression away.
fn escape(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
