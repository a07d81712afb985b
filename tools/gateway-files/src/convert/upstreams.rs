//! The services of Kong with their targets, as an Envoy calls them.

use super::kong_file::{Entity, KongFile};
use super::notes::Notes;
use super::values::{number, owned, text};
use crate::documents::Place;
use serde_norway::{Mapping, Value};

/// The host and the port of a service, and `true` if it speaks TLS.
pub(super) struct Location {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) grpc: bool,
    pub(super) path: Option<String>,
}

/// A service as an upstream of Envoy.
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) endpoints: Vec<Endpoint>,
    /// The endpoints are the targets of an upstream of Kong.
    pub(super) has_targets: bool,
    /// The target with the fewest requests is chosen, and not the next one.
    pub(super) least_requests: bool,
    pub(super) tls: Option<Tls>,
    pub(super) grpc: bool,
    /// In milliseconds.
    pub(super) connect_timeout: u64,
}

/// An address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// A name or an address, an IPv6 one without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) weight: u64,
}

/// TLS to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    /// The name in the upstream's certificate.
    pub(super) host: String,
    /// The certificate is verified, which Kong does with `tls_verify` only.
    pub(super) verify: bool,
}

impl Endpoint {
    pub(super) fn new(host: &str, port: u16, weight: u64) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { host, port, weight }
    }
}

/// Returns the name of a service: its own, or its number.
fn name(file: &KongFile, service: usize) -> String {
    let entity = file.services.get(service);
    let named = entity.and_then(|entity| entity.name.clone().or_else(|| entity.id.clone()));
    named.unwrap_or_else(|| format!("service-{}", service + 1))
}

/// Reads where a service is: `url`, or `protocol`, `host`, `port` and `path`.
pub(super) fn location(service: &Mapping) -> Location {
    let mut protocol = owned(service, "protocol").unwrap_or_else(|| "http".to_owned());
    let mut host = owned(service, "host").unwrap_or_default();
    let mut port = service.get("port").and_then(Value::as_u64);
    let mut path = owned(service, "path");
    if let Some(url) = text(service, "url") {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        scheme.clone_into(&mut protocol);
        let (authority, rest) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (name, number) = match authority.rsplit_once(':') {
            Some((name, number)) if !number.ends_with(']') => (name, number.parse().ok()),
            _ => (authority, None),
        };
        name.clone_into(&mut host);
        port = number.or(Some(if matches!(scheme, "https" | "grpcs") { 443 } else { 80 }));
        path = (!rest.is_empty()).then(|| rest.to_owned()).or(path);
    }
    let tls = matches!(protocol.as_str(), "https" | "grpcs" | "tls" | "wss");
    let grpc = protocol.starts_with("grpc");
    let port = u16::try_from(port.unwrap_or(80)).unwrap_or(80);
    Location { host, port, tls, grpc, path: path.filter(|path| path != "/") }
}

/// Returns `true` if Kong does not serve the routes of this service.
pub(super) fn is_off(file: &KongFile, service: Option<usize>) -> bool {
    service.and_then(|number| file.services.get(number)).is_some_and(|one| !is_enabled(one))
}

fn is_enabled(service: &Entity) -> bool {
    service.value.get("enabled").and_then(Value::as_bool) != Some(false)
}

/// Returns the services in the order of the file.
pub(super) fn all(file: &KongFile, notes: &mut Notes) -> Vec<Upstream> {
    let services = file.services.iter().enumerate();
    services.map(|(number, service)| upstream(file, name(file, number), service, notes)).collect()
}

fn upstream(file: &KongFile, name: String, service: &Entity, notes: &mut Notes) -> Upstream {
    const KNOWN: [&str; 21] = [
        "id",
        "name",
        "url",
        "protocol",
        "host",
        "port",
        "path",
        "retries",
        "connect_timeout",
        "read_timeout",
        "write_timeout",
        "tags",
        "enabled",
        "routes",
        "plugins",
        "created_at",
        "updated_at",
        "tls_verify",
        "filter_chains",
        "ca_certificates",
        "tls_verify_depth",
    ];
    for (member, value) in &service.value {
        let member = member.as_str().unwrap_or_default();
        if !KNOWN.contains(&member) && !value.is_null() {
            notes.lost(&service.place.member(member), "the cluster is written without it");
        }
    }
    let limit = |name| number(&service.value, name, 60_000);
    if limit("write_timeout") != limit("read_timeout") {
        let what =
            "Envoy has one limit for a connection on which nothing happens, that of `read_timeout`";
        notes.differs(&service.place.member("write_timeout"), what);
    }
    if service.value.get("tls_verify_depth").is_some_and(|depth| !depth.is_null()) {
        let what = "the length of the chain of certificates is not limited";
        notes.lost(&service.place.member("tls_verify_depth"), what);
    }
    if !is_enabled(service) {
        notes.differs(&service.place.member("enabled"), "is not enabled: its routes are left out");
    }
    let at = location(&service.value);
    let mut endpoints = vec![Endpoint::new(&at.host, at.port, 1)];
    let upstream =
        upstreams(file).find(|upstream| text(upstream, "name") == Some(at.host.as_str()));
    let mut least_requests = false;
    if let Some(upstream) = &upstream {
        endpoints = targets(file, upstream);
        least_requests = least(upstream, service, notes);
        if upstream.get("healthchecks").is_some_and(|checks| !checks.is_null()) {
            notes.lost(
                &service.place,
                format!("the health checks of the upstream {} are not written", at.host),
            );
        }
    }
    let mut tls = None;
    if at.tls {
        let verify = service.value.get("tls_verify").and_then(Value::as_bool) == Some(true);
        let host = endpoints.first().map_or(&at.host, |endpoint| &endpoint.host).clone();
        tls = Some(Tls { host, verify });
        if service.value.get("ca_certificates").is_some_and(|list| !list.is_null()) {
            let message = "the certificates of the system are trusted, not those of this list";
            notes.lost(&service.place.member("ca_certificates"), message);
        }
    }
    Upstream {
        name,
        place: service.place.clone(),
        endpoints,
        has_targets: upstream.is_some(),
        least_requests,
        tls,
        grpc: at.grpc,
        connect_timeout: number(&service.value, "connect_timeout", 60_000).max(1),
    }
}

fn upstreams(file: &KongFile) -> impl Iterator<Item = Mapping> + '_ {
    let all = file.root.get("upstreams").and_then(Value::as_sequence);
    all.into_iter().flatten().filter_map(|one| one.as_mapping().cloned())
}

/// Returns the targets with a weight.
fn targets(file: &KongFile, upstream: &Mapping) -> Vec<Endpoint> {
    let own = upstream.get("targets").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let listed = file.root.get("targets").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let name = text(upstream, "name");
    let refers = |target: &Value| {
        let reference = target.get("upstream");
        let by_name = reference.and_then(|it| it.get("name").unwrap_or(it).as_str());
        by_name.is_some() && by_name == name
    };
    let all = own.into_iter().chain(listed.into_iter().filter(refers));
    let read = |target: Value| {
        let target = target.as_mapping()?.clone();
        let address = text(&target, "target")?;
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "8000"));
        let weight = number(&target, "weight", 100);
        (weight > 0).then(|| Endpoint::new(host, port.parse().unwrap_or(8000), weight))
    };
    all.filter_map(read).collect()
}

/// Returns `true` if the target with the fewest requests is to be chosen.
fn least(upstream: &Mapping, service: &Entity, notes: &mut Notes) -> bool {
    let algorithm = text(upstream, "algorithm");
    if matches!(algorithm, Some("consistent-hashing" | "sticky-sessions")) {
        notes.lost(
            &service.place,
            "requests go to its targets in turn: the upstream's hashing is not written",
        );
    }
    matches!(algorithm, Some("least-connections" | "latency"))
}
