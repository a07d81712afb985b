//! Kong's routes as an Envoy tries them: hosts, and for each the routes in the order of Kong's
//! router.

mod order;

use super::kong_file::{KongFile, NO_ROUTE, Route};
use super::notes::Notes;
use super::route_name;
use super::upstreams::{self, Location};
use super::values::{number, text, texts};
use serde_norway::{Mapping, Value};
use std::collections::BTreeSet;

/// The routes for the requests to one host.
pub(super) struct Host {
    /// The host, possibly with a `*` at one end; `None` for all other hosts.
    pub(super) domain: Option<String>,
    pub(super) entries: Vec<Entry>,
}

/// A route of Envoy. A route of Kong has one for each of its paths, or two.
pub(super) struct Entry {
    pub(super) name: String,
    /// The number of Kong's route; `None` for the answer to a request without one.
    pub(super) route: Option<usize>,
    pub(super) path: Matching,
    /// Conditions on headers: the name, and the expression that the whole value matches. `:method`
    /// and `:authority` are among them.
    pub(super) headers: Vec<(String, String)>,
    pub(super) action: Action,
}

/// The condition on a path.
pub(super) enum Matching {
    Exact(String),
    Prefix(String),
    /// The expression matches the whole path.
    Expression(String),
}

/// The way in which a gateway handles a request.
pub(super) enum Action {
    Reply {
        status: u16,
        body: &'static str,
    },
    Forward {
        /// The number of the service.
        service: usize,
        rewrite: Option<Rewrite>,
        /// The host that the upstream is told; `None` for the client's.
        authority: Option<String>,
        /// The time between two reads, in milliseconds.
        idle_timeout: u64,
        retries: u64,
    },
}

/// The change of a request's path before it goes to the upstream.
pub(super) enum Rewrite {
    /// This text replaces the part of the path that has matched.
    Prefix(String),
    /// The substitution comes in the place of what the expression matches.
    Expression { pattern: String, substitution: String },
}

/// One path of a route of Kong.
struct Rule<'a> {
    number: usize,
    route: &'a Route,
    path: Option<String>,
    hosts: Vec<String>,
}

/// Returns the hosts of the file; the last one is for all others.
pub(super) fn hosts(file: &KongFile, notes: &mut Notes) -> Vec<Host> {
    let mut rules = rules(file, notes);
    order::sort(&mut rules);
    order::tell(file, &rules, notes);
    let mut domains: Vec<String> = Vec::new();
    for host in rules.iter().flat_map(|rule| &rule.hosts) {
        if !domains.contains(host) {
            domains.push(host.clone());
        }
    }
    let mut all = Vec::new();
    for domain in domains {
        let entries =
            entries_of(rules.iter().filter_map(|rule| Some((rule, served(rule, &domain)?))), file);
        all.push(Host { domain: Some(domain), entries });
    }
    let rest = rules.iter().filter(|rule| rule.hosts.is_empty()).map(|rule| (rule, None));
    all.push(Host { domain: None, entries: entries_of(rest, file) });
    all
}

/// Returns `Some` if the rule is for requests that Envoy takes to the virtual host `domain`. If it
/// is for some of them only, the result has the condition on the host.
fn served(rule: &Rule<'_>, domain: &str) -> Option<Option<String>> {
    if rule.hosts.is_empty() || rule.hosts.iter().any(|host| covers(host, domain)) {
        return Some(None);
    }
    // `api.example.com` fits `*.example.com` and `api.*`, and Envoy looks at the former alone.
    let ends = rule.hosts.iter().filter_map(|host| host.strip_suffix('*'));
    let starts: Vec<String> = ends.map(|start| format!("{}.*", escape(start))).collect();
    let meets = domain.starts_with('*') && !starts.is_empty();
    meets.then(|| Some(format!("(?i:{})", starts.join("|"))))
}

fn entries_of<'a>(
    rules: impl Iterator<Item = (&'a Rule<'a>, Option<String>)>,
    file: &KongFile,
) -> Vec<Entry> {
    let mut all = Vec::new();
    for (rule, host) in rules {
        let mut own = entries(rule, file);
        if let Some(host) = host {
            own.iter_mut()
                .for_each(|one| one.headers.push((":authority".to_owned(), host.clone())));
        }
        all.append(&mut own);
    }
    let body = r#"{"message":"no Route matched with those values"}"#;
    all.push(Entry {
        name: NO_ROUTE.to_owned(),
        route: None,
        path: Matching::Prefix("/".to_owned()),
        headers: Vec::new(),
        action: Action::Reply { status: 404, body },
    });
    all
}

fn rules<'a>(file: &'a KongFile, notes: &mut Notes) -> Vec<Rule<'a>> {
    let mut all = Vec::new();
    for (number, route) in file.routes.iter().enumerate() {
        let value = &route.entity.value;
        if !told(file, route, notes) || upstreams::is_off(file, route.service) {
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

/// Returns the entries of a rule: two where the service has a path of its own, since the rest of
/// the request's path may be empty.
fn entries(rule: &Rule<'_>, file: &KongFile) -> Vec<Entry> {
    let value = &rule.route.entity.value;
    let strips = value.get("strip_path").and_then(Value::as_bool) != Some(false);
    let service = rule.route.service.and_then(|n| file.services.get(n));
    let at = service.map(|one| upstreams::location(&one.value));
    let path = rule.path.as_deref();
    let service_path = at.as_ref().and_then(|at| at.path.clone());
    let mut all = Vec::new();
    if let (Some(own), Some(prefix), true) = (&service_path, path, strips)
        && !prefix.starts_with('~')
        && prefix != "/"
    {
        let exact = Matching::Exact(prefix.trim_end_matches('/').to_owned());
        let own = if own.len() > 1 { own.trim_end_matches('/') } else { own };
        all.push(entry(rule, file, exact, at.as_ref(), Some(Rewrite::Prefix(own.to_owned()))));
    }
    let matching = match path {
        None => Matching::Prefix("/".to_owned()),
        Some(path) => match path.strip_prefix('~') {
            Some(expression) => Matching::Expression(format!("(?:{expression}).*")),
            None => Matching::Prefix(path.to_owned()),
        },
    };
    let rewrite = rewrite(path.filter(|_| strips), service_path.as_deref());
    all.push(entry(rule, file, matching, at.as_ref(), rewrite));
    all
}

/// Returns the rewriting of the path: without what has matched, and below the service's path.
fn rewrite(stripped: Option<&str>, service_path: Option<&str>) -> Option<Rewrite> {
    let below = service_path.unwrap_or("/");
    let substitution = format!("{}/", below.trim_end_matches('/')).replace('\\', r"\\");
    let pattern = match stripped {
        Some("/") | None if service_path.is_none() => return None,
        Some("/") | None => "^/".to_owned(),
        Some(path) => match path.strip_prefix('~') {
            Some(expression) => format!("^(?:{expression})/?"),
            None => format!("^{}/?", escape(path.trim_end_matches('/'))),
        },
    };
    Some(Rewrite::Expression { pattern, substitution })
}

fn entry(
    rule: &Rule<'_>,
    file: &KongFile,
    path: Matching,
    at: Option<&Location>,
    rewrite: Option<Rewrite>,
) -> Entry {
    let value = &rule.route.entity.value;
    let action = match (at, rule.route.service) {
        (Some(at), Some(service)) => forward(value, at, service, file, rewrite),
        _ => Action::Reply {
            status: 503,
            body: r#"{"message":"no Service found with those values"}"#,
        },
    };
    Entry {
        name: route_name(file, rule.number),
        route: Some(rule.number),
        path,
        headers: conditions(value),
        action,
    }
}

fn forward(
    value: &Mapping,
    at: &Location,
    service: usize,
    file: &KongFile,
    rewrite: Option<Rewrite>,
) -> Action {
    let entity = file.services.get(service).map(|service| &service.value);
    let setting = |name, default| entity.map_or(default, |entity| number(entity, name, default));
    let keeps = value.get("preserve_host").and_then(Value::as_bool) == Some(true);
    let default = if at.tls { 443 } else { 80 };
    let host = match at.port == default {
        true => at.host.clone(),
        false => format!("{}:{}", at.host, at.port),
    };
    Action::Forward {
        service,
        rewrite,
        authority: (!keeps).then_some(host),
        // Kong limits the time between two reads, and not the whole.
        idle_timeout: setting("read_timeout", 60_000),
        retries: setting("retries", 5),
    }
}

/// Returns the conditions on the method and on headers.
fn conditions(value: &Mapping) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let methods = texts(value.get("methods"));
    if !methods.is_empty() {
        // Kong's nginx refuses `post`, which some servers take for `POST`.
        all.push((":method".to_owned(), format!("(?i:{})", methods.join("|"))));
    }
    for (name, values) in value.get("headers").and_then(Value::as_mapping).into_iter().flatten() {
        let values: BTreeSet<String> = texts(Some(values)).into_iter().collect();
        let each = values.iter().map(|value| match value.strip_prefix("~*") {
            Some(expression) => format!(".*(?:{expression}).*"),
            None => escape(value),
        });
        let each: Vec<String> = each.collect();
        let name = name.as_str().unwrap_or_default().to_owned();
        all.push((name, format!("(?i:{})", each.join("|"))));
    }
    all
}

/// Takes the meaning of each letter of an expression away.
fn escape(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
