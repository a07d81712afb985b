//! The clusters: one for each service, and those that filters call.

use super::{Distinct, address, duration, one, typed};
use crate::convert::upstreams::{Endpoint, Upstream, location};
use crate::convert::values::{map, put, text};
use crate::convert::{Admin, Options};
use serde_norway::{Mapping, Value};

/// Returns all clusters.
pub(super) fn all(upstreams: &[Upstream], options: &Options, filters: &[Distinct]) -> Value {
    let mut all: Vec<Value> = upstreams.iter().map(of_service).collect();
    if let Some(Admin { host, port, tls }) = &options.admin {
        all.push(plain("gatehouse-admin", host, *port, *tls));
    }
    if let Some(moesif) = filters.iter().find(|filter| filter.filter.name == "moesif") {
        let endpoint = text(&moesif.filter.config, "api_endpoint");
        let url = endpoint.unwrap_or("https://api.moesif.net");
        let at = location(&map([("url", url.into())]));
        all.push(plain("moesif_api", &at.host, at.port, at.tls));
    }
    Value::Sequence(all)
}

/// Returns a cluster with one endpoint, whose certificate is verified.
fn plain(name: &str, host: &str, port: u16, tls: bool) -> Value {
    let mut cluster = base(name, &[Endpoint::new(host, port, 1)], 5000);
    if tls {
        put(&mut cluster, "transport_socket", transport(host, true));
    }
    Value::Mapping(cluster)
}

fn of_service(upstream: &Upstream) -> Value {
    let mut cluster = base(&upstream.name, &upstream.endpoints, upstream.connect_timeout);
    if upstream.least_requests {
        put(&mut cluster, "lb_policy", "LEAST_REQUEST");
    }
    if let Some(tls) = &upstream.tls {
        put(&mut cluster, "transport_socket", transport(&tls.host, tls.verify));
    }
    if upstream.grpc {
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

fn base(name: &str, endpoints: &[Endpoint], connect_timeout: u64) -> Mapping {
    let endpoint = |Endpoint { host, port, weight }: &Endpoint| {
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
        ("connect_timeout", duration(connect_timeout).into()),
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
