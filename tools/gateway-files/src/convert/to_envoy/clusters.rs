//! The clusters: one for each service, and those that filters call.

use super::{HttpFilter, address, duration, number, one, typed};
use crate::convert::kong_file::{Entity, KongFile};
use crate::convert::notes::Notes;
use crate::convert::values::{map, owned, put, text};
use crate::convert::{Admin, Options};
use serde_norway::{Mapping, Value};

/// Where a service is.
pub(super) struct Location {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) grpc: bool,
    pub(super) path: Option<String>,
}

/// Returns the cluster's name of a service.
pub(super) fn name(file: &KongFile, service: usize) -> String {
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

/// Returns all clusters.
pub(super) fn all(
    file: &KongFile,
    options: &Options,
    moesif: Option<&[HttpFilter]>,
    notes: &mut Notes,
) -> Value {
    let mut all = Vec::new();
    for (number, service) in file.services.iter().enumerate() {
        all.push(of_service(file, &name(file, number), service, notes));
    }
    if let Some(Admin { host, port, tls }) = &options.admin {
        all.push(plain("gatehouse-admin", host, *port, *tls, true));
    }
    if let Some(filters) = moesif {
        let moesif = filters.iter().find(|filter| filter.filter.name == "moesif");
        let endpoint = moesif.and_then(|filter| text(&filter.filter.config, "api_endpoint"));
        let url = endpoint.unwrap_or("https://api.moesif.net");
        let at = location(&map([("url", url.into())]));
        all.push(plain("moesif_api", &at.host, at.port, at.tls, true));
    }
    Value::Sequence(all)
}

/// Returns a cluster with one endpoint, whose certificate is verified.
fn plain(name: &str, host: &str, port: u16, tls: bool, verify: bool) -> Value {
    let mut cluster = base(name, &[(host.to_owned(), port, 1)], 5000);
    if tls {
        put(&mut cluster, "transport_socket", transport(host, verify));
    }
    Value::Mapping(cluster)
}

fn of_service(file: &KongFile, name: &str, service: &Entity, notes: &mut Notes) -> Value {
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
    if service.value.get("enabled").and_then(Value::as_bool) == Some(false) {
        notes.lost(
            &service.place.member("enabled"),
            "the service is served all the same: take its routes out",
        );
    }
    let at = location(&service.value);
    let mut endpoints = vec![(at.host.clone(), at.port, 1)];
    let upstream =
        upstreams(file).find(|upstream| text(upstream, "name") == Some(at.host.as_str()));
    let mut policy = None;
    if let Some(upstream) = upstream {
        endpoints = targets(file, &upstream);
        policy = balancing(&upstream, service, notes);
        if upstream.get("healthchecks").is_some_and(|checks| !checks.is_null()) {
            notes.lost(
                &service.place,
                format!("the health checks of the upstream {} are not written", at.host),
            );
        }
    }
    let mut cluster = base(name, &endpoints, number(&service.value, "connect_timeout", 60_000));
    if let Some(policy) = policy {
        put(&mut cluster, "lb_policy", policy);
    }
    if at.tls {
        let verify = service.value.get("tls_verify").and_then(Value::as_bool) == Some(true);
        let host = endpoints.first().map_or(at.host.as_str(), |(host, ..)| host);
        put(&mut cluster, "transport_socket", transport(host, verify));
        if service.value.get("ca_certificates").is_some_and(|list| !list.is_null()) {
            let message = "the certificates of the system are trusted, not those of this list";
            notes.lost(&service.place.member("ca_certificates"), message);
        }
    }
    if at.grpc {
        let http2 = typed(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            [(
                "explicit_http_config",
                Value::Mapping(map([("http2_protocol_options", Value::Mapping(Mapping::new()))])),
            )],
        );
        let options = map([("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", http2)]);
        put(&mut cluster, "typed_extension_protocol_options", Value::Mapping(options));
    }
    Value::Mapping(cluster)
}

fn base(name: &str, endpoints: &[(String, u16, u64)], connect_timeout: u64) -> Mapping {
    let endpoint = |(host, port, weight): &(String, u16, u64)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut one = map([("endpoint", Value::Mapping(map([("address", address(host, *port))])))]);
        if endpoints.len() > 1 {
            put(&mut one, "load_balancing_weight", *weight);
        }
        Value::Mapping(one)
    };
    let endpoints: Vec<Value> = endpoints.iter().map(endpoint).collect();
    let assignment = map([
        ("cluster_name", name.into()),
        ("endpoints", one(Value::Mapping(map([("lb_endpoints", Value::Sequence(endpoints))])))),
    ]);
    map([
        ("name", name.into()),
        ("type", "STRICT_DNS".into()),
        ("connect_timeout", duration(connect_timeout.max(1)).into()),
        ("load_assignment", Value::Mapping(assignment)),
    ])
}

/// TLS to `host`. Kong verifies a service's certificate only with `tls_verify`.
fn transport(host: &str, verify: bool) -> Value {
    let mut context = Mapping::new();
    if verify {
        let file = map([("filename", "/etc/ssl/certs/ca-certificates.crt".into())]);
        let name = map([
            ("san_type", "DNS".into()),
            ("matcher", Value::Mapping(map([("exact", host.into())]))),
        ]);
        let validation = map([
            ("trusted_ca", Value::Mapping(file)),
            ("match_typed_subject_alt_names", one(Value::Mapping(name))),
        ]);
        put(&mut context, "validation_context", Value::Mapping(validation));
    }
    let mut tls = typed(
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        [("sni", host.into())],
    );
    if let Value::Mapping(tls) = &mut tls
        && !context.is_empty()
    {
        put(tls, "common_tls_context", Value::Mapping(context));
    }
    Value::Mapping(map([("name", "envoy.transport_sockets.tls".into()), ("typed_config", tls)]))
}

fn upstreams(file: &KongFile) -> impl Iterator<Item = Mapping> + '_ {
    let all = file.root.get("upstreams").and_then(Value::as_sequence);
    all.into_iter().flatten().filter_map(|one| one.as_mapping().cloned())
}

/// Returns host, port and weight of each target with a weight.
fn targets(file: &KongFile, upstream: &Mapping) -> Vec<(String, u16, u64)> {
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
        (weight > 0).then(|| (host.to_owned(), port.parse().unwrap_or(8000), weight))
    };
    all.filter_map(read).collect()
}

fn balancing(upstream: &Mapping, service: &Entity, notes: &mut Notes) -> Option<&'static str> {
    match text(upstream, "algorithm") {
        Some("least-connections" | "latency") => Some("LEAST_REQUEST"),
        Some("consistent-hashing" | "sticky-sessions") => {
            notes.lost(
                &service.place,
                "requests go to its targets in turn: the upstream's hashing is not written",
            );
            None
        }
        _ => None,
    }
}
