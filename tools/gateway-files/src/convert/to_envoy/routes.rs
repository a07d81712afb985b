//! The routes in Envoy's words.

use super::{Distinct, duration, typed};
use crate::convert::router::{Action, Entry, Host, Matching, Rewrite};
use crate::convert::upstreams::Upstream;
use crate::convert::values::{list, map, put};
use serde_norway::{Mapping, Value};

/// Returns the route configuration.
pub(super) fn config(hosts: &[Host], filters: &[Distinct], upstreams: &[Upstream]) -> Value {
    let all = hosts.iter().map(|host| virtual_host(host, filters, upstreams)).collect();
    let mut config = map([("name", "kong".into()), ("virtual_hosts", Value::Sequence(all))]);
    // A host may come with a port, which Kong does not look at. Without this, such a host fits no
    // `*.example.com`, and gets the routes for all other hosts.
    if !hosts.iter().any(has_port) {
        put(&mut config, "ignore_port_in_host_matching", true);
    }
    Value::Mapping(config)
}

/// Returns `true` if the routes of this host are for one port.
pub(super) fn has_port(host: &Host) -> bool {
    host.domain.as_ref().is_some_and(|domain| domain.contains(':'))
}

fn virtual_host(host: &Host, filters: &[Distinct], upstreams: &[Upstream]) -> Value {
    let (name, domains) = match &host.domain {
        None => ("any", vec!["*".to_owned()]),
        Some(domain) if domain.contains('*') || domain.contains(':') => {
            (domain.as_str(), vec![domain.clone()])
        }
        Some(domain) => (domain.as_str(), vec![domain.clone(), format!("{domain}:*")]),
    };
    let routes = host.entries.iter().map(|entry| route(entry, filters, upstreams)).collect();
    Value::Mapping(map([
        ("name", name.into()),
        ("domains", list(&domains)),
        ("routes", Value::Sequence(routes)),
    ]))
}

fn route(entry: &Entry, filters: &[Distinct], upstreams: &[Upstream]) -> Value {
    let mut matching = match &entry.path {
        Matching::Exact(path) => map([("path", path.as_str().into())]),
        Matching::Prefix(path) => map([("prefix", path.as_str().into())]),
        Matching::Expression(regex) => map([("safe_regex", expression(regex))]),
    };
    if !entry.headers.is_empty() {
        let conditions = entry.headers.iter().map(|(name, regex)| condition(name, regex)).collect();
        put(&mut matching, "headers", Value::Sequence(conditions));
    }
    let mut all = map([("name", entry.name.as_str().into()), ("match", Value::Mapping(matching))]);
    match &entry.action {
        Action::Reply { status, body } => put(&mut all, "direct_response", reply(*status, body)),
        Action::Forward { .. } => put(&mut all, "route", forward(&entry.action, upstreams)),
    }
    let own = enabled(entry.route, filters);
    if !own.is_empty() {
        put(&mut all, "typed_per_filter_config", Value::Mapping(own));
    }
    Value::Mapping(all)
}

/// Returns what enables the filters of a route, by the names of the filters.
pub(in crate::convert) fn enabled<'a>(
    route: Option<usize>,
    filters: impl IntoIterator<Item = &'a Distinct>,
) -> Mapping {
    let mut own = Mapping::new();
    for filter in filters {
        if route.is_some_and(|route| filter.routes.contains(&route)) {
            let empty = Value::Mapping(Mapping::new());
            let enabled = typed("envoy.config.route.v3.FilterConfig", [("config", empty)]);
            put(&mut own, &filter.name, enabled);
        }
    }
    own
}

fn reply(status: u16, body: &str) -> Value {
    let body = map([("inline_string", body.into())]);
    Value::Mapping(map([("status", status.into()), ("body", Value::Mapping(body))]))
}

fn forward(action: &Action, upstreams: &[Upstream]) -> Value {
    let Action::Forward { service, rewrite, authority, idle_timeout, retries } = action else {
        return Value::Null;
    };
    let cluster = upstreams.get(*service).map(|upstream| upstream.name.as_str());
    let mut route = map([("cluster", cluster.unwrap_or_default().into())]);
    match rewrite {
        None => {}
        Some(Rewrite::Prefix(prefix)) => put(&mut route, "prefix_rewrite", prefix.as_str()),
        Some(Rewrite::Expression { pattern, substitution }) => {
            let rewrite = map([
                ("pattern", expression(pattern)),
                ("substitution", substitution.as_str().into()),
            ]);
            put(&mut route, "regex_rewrite", Value::Mapping(rewrite));
        }
    }
    if let Some(authority) = authority {
        put(&mut route, "host_rewrite_literal", authority.as_str());
    }
    put(&mut route, "timeout", "0s");
    put(&mut route, "idle_timeout", duration(*idle_timeout));
    if *retries > 0 {
        let policy = map([("retry_on", RETRY_ON.into()), ("num_retries", (*retries).into())]);
        put(&mut route, "retry_policy", Value::Mapping(policy));
    }
    Value::Mapping(route)
}

/// The failures after which Kong tries the next target.
pub(in crate::convert) const RETRY_ON: &str = "connect-failure,refused-stream,reset-before-request";

fn condition(name: &str, regex: &str) -> Value {
    let matching = map([("safe_regex", expression(regex))]);
    Value::Mapping(map([("name", name.into()), ("string_match", Value::Mapping(matching))]))
}

fn expression(regex: &str) -> Value {
    Value::Mapping(map([("regex", regex.into())]))
}
