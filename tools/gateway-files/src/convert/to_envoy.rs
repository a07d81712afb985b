//! Writes a bootstrap file for Envoy: a listener, the routes, a cluster for each service, and the
//! filters of one module.

mod clusters;
pub(super) mod routes;

use super::Options;
use super::distinct::Distinct;
use super::kong_file::KongFile;
use super::notes::Notes;
use super::parts::Parts;
use super::plugins::Filter;
use super::values::{list, map, put};
use crate::documents::Place;
use serde_norway::Value;

/// The module of all filters.
const MODULE: &str = "gatehouse.wasm";

/// Returns the file and the number of filters in it.
pub(super) fn write(
    file: &KongFile,
    chains: &[Vec<Filter>],
    options: &Options,
    notes: &mut Notes,
) -> Result<(String, usize), String> {
    let Parts { filters, hosts, upstreams, variables } =
        Parts::of(file, chains, "Envoy listens on 127.0.0.1:8000", notes);
    if hosts.iter().any(routes::has_port) {
        let is_wild = |host: &&String| host.starts_with('*');
        for host in hosts.iter().filter_map(|host| host.domain.as_ref()).filter(is_wild) {
            let why = format!(
                "a host with a port does not fit {host} where other routes name a port: such a request gets the routes \
                 for all other hosts"
            );
            notes.lost(&Place::default(), why);
        }
    }
    let mut all: Vec<Value> = filters.iter().map(|filter| wasm(filter, &variables)).collect();
    all.push(Value::Mapping(map([
        ("name", "envoy.filters.http.router".into()),
        ("typed_config", typed("envoy.extensions.filters.http.router.v3.Router", [])),
    ])));
    let manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        [
            ("stat_prefix", "gateway".into()),
            ("use_remote_address", true.into()),
            ("normalize_path", true.into()),
            ("merge_slashes", true.into()),
            ("path_with_escaped_slashes_action", "REJECT_REQUEST".into()),
            (
                "common_http_protocol_options",
                Value::Mapping(map([
                    ("headers_with_underscores_action", "REJECT_REQUEST".into()),
                    ("idle_timeout", "300s".into()),
                ])),
            ),
            ("request_headers_timeout", "10s".into()),
            ("route_config", routes::config(&hosts, &filters, &upstreams)),
            ("http_filters", Value::Sequence(all)),
        ],
    );
    let listener = map([
        ("name", "gateway".into()),
        ("address", address("127.0.0.1", 8000)),
        ("per_connection_buffer_limit_bytes", 1_048_576.into()),
        (
            "filter_chains",
            one(Value::Mapping(map([(
                "filters",
                one(Value::Mapping(map([
                    ("name", "envoy.filters.network.http_connection_manager".into()),
                    ("typed_config", manager),
                ]))),
            )]))),
        ),
    ]);
    let clusters = clusters::all(&upstreams, options, &filters);
    let admin = map([("address", address("127.0.0.1", 9901))]);
    let root = map([
        ("admin", Value::Mapping(admin)),
        (
            "static_resources",
            Value::Mapping(map([
                ("listeners", one(Value::Mapping(listener))),
                ("clusters", clusters),
            ])),
        ),
    ]);
    let yaml = serde_norway::to_string(&Value::Mapping(root)).map_err(|error| error.to_string())?;
    Ok((format!("{}{yaml}", head(&variables)), filters.len()))
}

fn wasm(filter: &Distinct, variables: &[String]) -> Value {
    let mut vm = map([
        ("vm_id", "gatehouse".into()),
        ("runtime", "envoy.wasm.runtime.v8".into()),
        ("configuration", any("google.protobuf.StringValue", r#"{"host":"envoy"}"#.into())),
    ]);
    if !variables.is_empty() {
        let keys = map([("host_env_keys", list(variables))]);
        put(&mut vm, "environment_variables", Value::Mapping(keys));
    }
    let file = Value::Mapping(map([("filename", MODULE.into())]));
    put(&mut vm, "code", Value::Mapping(map([("local", file)])));
    // Reporting must not stop requests; everything else fails closed and starts anew.
    let config = map([
        ("name", filter.name.as_str().into()),
        ("root_id", filter.filter.name.into()),
        ("failure_policy", "FAIL_RELOAD".into()),
        ("allow_on_headers_stop_iteration", true.into()),
        (
            "configuration",
            any("google.protobuf.Struct", Value::Mapping(filter.filter.config.clone())),
        ),
        ("vm_config", Value::Mapping(vm)),
    ]);
    let wasm =
        typed("envoy.extensions.filters.http.wasm.v3.Wasm", [("config", Value::Mapping(config))]);
    // A request without a route is answered before any filter, as Kong does.
    Value::Mapping(map([
        ("name", filter.name.as_str().into()),
        ("disabled", true.into()),
        ("typed_config", wasm),
    ]))
}

fn head(variables: &[String]) -> String {
    let mut lines = String::from(
        "# Written by `gatehouse-admin convert --to envoy`. It needs Envoy 1.35 or newer and, in the directory where it is\n\
         # started, gatehouse.wasm, the module of all filters.\n",
    );
    if !variables.is_empty() {
        lines += &format!("# Variables of Envoy's environment: {}.\n", variables.join(", "));
    }
    lines + "\n"
}

// === The words of Envoy's files ===

fn one(value: Value) -> Value {
    Value::Sequence(vec![value])
}

/// A message with its type.
pub(super) fn typed<const N: usize>(name: &str, members: [(&str, Value); N]) -> Value {
    let mut all = map([("@type", format!("type.googleapis.com/{name}").into())]);
    all.extend(map(members));
    Value::Mapping(all)
}

/// A well-known type, whose content is its `value`.
pub(super) fn any(name: &str, value: Value) -> Value {
    typed(name, [("value", value)])
}

fn address(host: &str, port: u16) -> Value {
    let socket = map([("address", host.into()), ("port_value", port.into())]);
    Value::Mapping(map([("socket_address", Value::Mapping(socket))]))
}

/// Milliseconds as a duration.
pub(super) fn duration(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}s", milliseconds / 1000),
        rest => format!("{}.{rest:03}s", milliseconds / 1000),
    }
}
