//! The routes in the words of a VirtualService.

use super::destinations::{Destination, NETWORKING};
use super::{GATEWAY, Names, one, resource};
use crate::convert::kong_file::KongFile;
use crate::convert::notes::Notes;
use crate::convert::router::{Action, Entry, Host, Matching, Rewrite};
use crate::convert::to_envoy::routes::RETRY_ON;
use crate::convert::values::{map, put, texts};
use serde_norway::{Mapping, Value};

/// Returns the VirtualService of each host.
pub(super) fn virtual_services(
    hosts: &[Host],
    services: &[Destination],
    file: &KongFile,
    notes: &mut Notes,
) -> Vec<Value> {
    tell_hosts(file, notes);
    let mut names = Names::default();
    let mut all = Vec::new();
    for host in hosts {
        let domain = host.domain.as_deref().unwrap_or("*");
        if !is_possible(domain) {
            continue;
        }
        let routes = host.entries.iter().map(|entry| route(entry, services)).collect();
        let spec = map([
            ("hosts", one(domain.into())),
            ("gateways", one(GATEWAY.into())),
            ("http", Value::Sequence(routes)),
        ]);
        let name = format!("gatehouse-{}", names.of(host.domain.as_deref().unwrap_or("any")));
        all.push(resource(NETWORKING, "VirtualService", &name, spec));
    }
    all
}

/// Returns `true` if a VirtualService takes the host: it has a dot, or Istio would take it for a
/// service of Kubernetes, and its only `*` is its first label.
pub(super) fn is_possible(domain: &str) -> bool {
    let rest = domain.strip_prefix("*.").unwrap_or(domain);
    domain == "*" || rest.contains('.') && !rest.contains(['*', ':'])
}

fn tell_hosts(file: &KongFile, notes: &mut Notes) {
    for route in &file.routes {
        let place = route.entity.place.member("hosts");
        for (number, host) in texts(route.entity.value.get("hosts")).iter().enumerate() {
            if !is_possible(host) {
                let why = "a VirtualService takes names with a dot, without a port, and a `*` as their first label \
                           only: requests to this host do not reach the route";
                notes.lost(&place.item(number), why);
            }
        }
    }
}

fn route(entry: &Entry, services: &[Destination]) -> Value {
    let (kind, path) = match &entry.path {
        Matching::Exact(path) => ("exact", path),
        Matching::Prefix(path) => ("prefix", path),
        Matching::Expression(regex) => ("regex", regex),
    };
    let mut matching = map([("uri", Value::Mapping(map([(kind, path.as_str().into())])))]);
    let mut headers = Mapping::new();
    for (name, regex) in &entry.headers {
        let condition = Value::Mapping(map([("regex", regex.as_str().into())]));
        match name.as_str() {
            ":method" => put(&mut matching, "method", condition),
            ":authority" => put(&mut matching, "authority", condition),
            name => put(&mut headers, &name.to_ascii_lowercase(), condition),
        }
    }
    if !headers.is_empty() {
        put(&mut matching, "headers", Value::Mapping(headers));
    }
    let mut all =
        map([("name", entry.name.as_str().into()), ("match", one(Value::Mapping(matching)))]);
    match &entry.action {
        Action::Reply { status, body } => {
            let body = map([("string", (*body).into())]);
            let reply = map([("status", (*status).into()), ("body", Value::Mapping(body))]);
            put(&mut all, "directResponse", Value::Mapping(reply));
        }
        Action::Forward { service, rewrite, authority, retries, .. } => {
            let rewrite = rewriting(rewrite.as_ref(), authority.as_deref());
            if !rewrite.is_empty() {
                put(&mut all, "rewrite", Value::Mapping(rewrite));
            }
            if let Some(Destination { host, port }) = services.get(*service) {
                let port = map([("number", (*port).into())]);
                let destination =
                    map([("host", host.as_str().into()), ("port", Value::Mapping(port))]);
                let target = map([("destination", Value::Mapping(destination))]);
                put(&mut all, "route", one(Value::Mapping(target)));
            }
            // Istio would retry twice. It limits the time of a request only if it is told to.
            let mut policy = map([("attempts", (*retries).into())]);
            if *retries > 0 {
                put(&mut policy, "retryOn", RETRY_ON);
            }
            put(&mut all, "retries", Value::Mapping(policy));
        }
    }
    Value::Mapping(all)
}

fn rewriting(rewrite: Option<&Rewrite>, authority: Option<&str>) -> Mapping {
    let mut all = Mapping::new();
    match rewrite {
        None => {}
        Some(Rewrite::Prefix(prefix)) => put(&mut all, "uri", prefix.as_str()),
        Some(Rewrite::Expression { pattern, substitution }) => {
            let regex = map([
                ("match", pattern.as_str().into()),
                ("rewrite", substitution.as_str().into()),
            ]);
            put(&mut all, "uriRegexRewrite", Value::Mapping(regex));
        }
    }
    if let Some(authority) = authority {
        put(&mut all, "authority", authority);
    }
    all
}
