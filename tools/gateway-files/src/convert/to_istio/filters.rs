//! The filters: WasmPlugins for those that every route has, and an EnvoyFilter for all others.
//!
//! A WasmPlugin stands before all routes and cannot hold headers back until a body has come. The
//! filters of an EnvoyFilter are disabled, and enabled by the routes that have them. They stand
//! before all WasmPlugins or behind them, since the names of a WasmPlugin's filters differ between
//! versions of Istio. So one run of filters, the longest that can, becomes WasmPlugins.

use super::routes::is_possible;
use super::{labels, one, resource};
use crate::convert::distinct::Distinct;
use crate::convert::notes::Notes;
use crate::convert::router::{Action, Entry, Host};
use crate::convert::to_envoy::routes::enabled;
use crate::convert::to_envoy::{any, duration, typed};
use crate::convert::values::{list, map, put};
use crate::documents::Place;
use serde_norway::{Mapping, Value};
use std::collections::BTreeSet;

/// The image of the module of all filters.
pub(super) const IMAGE: &str =
    concat!("oci://registry.example.com/gatehouse/gatehouse:", env!("CARGO_PKG_VERSION"));

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const MANAGER: &str = "envoy.filters.network.http_connection_manager";
/// The most variables that a WasmPlugin takes, and one of them is the name of the host.
const MOST_VARIABLES: usize = 255;

pub(super) fn resources(
    hosts: &[Host],
    filters: &[Distinct],
    variables: &[String],
    notes: &mut Notes,
) -> Vec<Value> {
    let served: BTreeSet<usize> = entries(hosts).filter_map(|entry| entry.route).collect();
    let everywhere = |filter: &Distinct| {
        served.iter().all(|route| filter.routes.contains(route))
            && !filter.filter.reads_body
            && variables.len() <= MOST_VARIABLES
    };
    let run = longest(filters, everywhere);
    let plugins = filters.get(run.clone()).unwrap_or_default();
    let mut all: Vec<Value> = Vec::new();
    for (filter, left) in plugins.iter().zip((1..=plugins.len()).rev()) {
        all.push(plugin(filter, left.saturating_mul(10), variables));
    }
    if !plugins.is_empty() {
        let names: Vec<&str> = plugins.iter().map(|filter| filter.name.as_str()).collect();
        let how = format!(
            "WasmPlugins stand before all routes of the gateway, and thus also judge requests without a route of this \
             file, which Kong answers before any plugin: {}",
            names.join(", ")
        );
        notes.differs(&Place::default(), how);
    }
    let before = filters.get(..run.start).unwrap_or_default();
    let behind = filters.get(run.end..).unwrap_or_default();
    all.push(envoy_filter(hosts, before, behind, variables));
    all
}

fn entries(hosts: &[Host]) -> impl Iterator<Item = &Entry> {
    let possible = |host: &&Host| host.domain.as_deref().is_none_or(is_possible);
    hosts.iter().filter(possible).flat_map(|host| &host.entries)
}

/// Returns the longest run of filters that `fit`.
fn longest(filters: &[Distinct], fit: impl Fn(&Distinct) -> bool) -> std::ops::Range<usize> {
    let mut best = 0..0;
    let mut start = 0;
    for (number, filter) in filters.iter().enumerate() {
        let end = number.saturating_add(1);
        if !fit(filter) {
            start = end;
        } else if end.saturating_sub(start) > best.len() {
            best = start..end;
        }
    }
    best
}

fn plugin(filter: &Distinct, priority: usize, variables: &[String]) -> Value {
    let mut env =
        vec![Value::Mapping(map([("name", "GATEHOUSE_HOST".into()), ("value", "envoy".into())]))];
    env.extend(variables.iter().map(|name| {
        Value::Mapping(map([("name", name.as_str().into()), ("valueFrom", "HOST".into())]))
    }));
    let selector = map([("matchLabels", Value::Mapping(labels()))]);
    // Requests matter more than being told about them.
    let strategy = if filter.filter.name == "moesif" { "FAIL_OPEN" } else { "FAIL_CLOSE" };
    let spec = map([
        ("selector", Value::Mapping(selector)),
        ("url", IMAGE.into()),
        ("pluginName", filter.filter.name.into()),
        ("phase", "AUTHN".into()),
        ("priority", priority.into()),
        ("failStrategy", strategy.into()),
        ("vmConfig", Value::Mapping(map([("env", Value::Sequence(env))]))),
        ("pluginConfig", Value::Mapping(filter.filter.config.clone())),
    ]);
    let name = filter.name.replace('_', "-");
    resource("extensions.istio.io/v1alpha1", "WasmPlugin", &name, spec)
}

fn envoy_filter(
    hosts: &[Host],
    before: &[Distinct],
    behind: &[Distinct],
    variables: &[String],
) -> Value {
    let mut patches = vec![manager()];
    patches.extend(before.iter().chain(behind).map(|filter| extension(filter, variables)));
    // Each comes before those that are there already.
    patches.extend(before.iter().rev().map(|filter| inserted(filter, "INSERT_FIRST")));
    patches.extend(behind.iter().map(|filter| inserted(filter, "INSERT_BEFORE")));
    let mut told = BTreeSet::new();
    for entry in entries(hosts) {
        let mut value = Mapping::new();
        if let Action::Forward { idle_timeout, .. } = &entry.action {
            let limit = map([("idle_timeout", duration(*idle_timeout).into())]);
            put(&mut value, "route", Value::Mapping(limit));
        }
        let own = enabled(entry.route, before.iter().chain(behind));
        if !own.is_empty() {
            put(&mut value, "typed_per_filter_config", Value::Mapping(own));
        }
        if !value.is_empty() && told.insert(&entry.name) {
            patches.push(of_route(&entry.name, value));
        }
    }
    let spec = map([
        ("workloadSelector", Value::Mapping(map([("labels", Value::Mapping(labels()))]))),
        ("configPatches", Value::Sequence(patches)),
    ]);
    resource("networking.istio.io/v1alpha3", "EnvoyFilter", "gatehouse", spec)
}

fn patch(kind: &str, matching: Mapping, operation: &str, value: Mapping) -> Value {
    let mut all = map([("context", "GATEWAY".into())]);
    all.extend(matching);
    let change = map([("operation", operation.into()), ("value", Value::Mapping(value))]);
    Value::Mapping(map([
        ("applyTo", kind.into()),
        ("match", Value::Mapping(all)),
        ("patch", Value::Mapping(change)),
    ]))
}

/// Filters and routes see one path, and not another one than the upstream.
fn manager() -> Value {
    let common = map([
        ("headers_with_underscores_action", "REJECT_REQUEST".into()),
        ("idle_timeout", "300s".into()),
    ]);
    let config = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        [
            ("normalize_path", true.into()),
            ("merge_slashes", true.into()),
            ("path_with_escaped_slashes_action", "REJECT_REQUEST".into()),
            ("common_http_protocol_options", Value::Mapping(common)),
            ("request_headers_timeout", "10s".into()),
        ],
    );
    patch(
        "NETWORK_FILTER",
        listener(None),
        "MERGE",
        map([("name", MANAGER.into()), ("typed_config", config)]),
    )
}

/// Matches the connection manager, or a filter in it.
fn listener(filter: Option<&str>) -> Mapping {
    let mut manager = map([("name", MANAGER.into())]);
    if let Some(filter) = filter {
        put(&mut manager, "subFilter", Value::Mapping(map([("name", filter.into())])));
    }
    let chain = map([("filter", Value::Mapping(manager))]);
    map([("listener", Value::Mapping(map([("filterChain", Value::Mapping(chain))])))])
}

/// Istio's agent downloads the module and hands it to Envoy, as it does for a WasmPlugin.
fn extension(filter: &Distinct, variables: &[String]) -> Value {
    let mut environment =
        map([("key_values", Value::Mapping(map([("GATEHOUSE_HOST", "envoy".into())])))]);
    if !variables.is_empty() {
        put(&mut environment, "host_env_keys", list(variables));
    }
    let uri = map([("uri", IMAGE.into()), ("timeout", "30s".into()), ("cluster", "unused".into())]);
    let remote = map([("http_uri", Value::Mapping(uri)), ("sha256", "".into())]);
    // Equal to the VM that Istio makes for the WasmPlugins, so that all share one.
    let vm = map([
        ("runtime", "envoy.wasm.runtime.v8".into()),
        ("environment_variables", Value::Mapping(environment)),
        ("code", Value::Mapping(map([("remote", Value::Mapping(remote))]))),
    ]);
    let settings = Value::Mapping(filter.filter.config.clone());
    let config = map([
        ("name", filter.name.as_str().into()),
        ("root_id", filter.filter.name.into()),
        ("failure_policy", "FAIL_RELOAD".into()),
        ("allow_on_headers_stop_iteration", true.into()),
        ("configuration", any("google.protobuf.Struct", settings)),
        ("vm_config", Value::Mapping(vm)),
    ]);
    let value = map([
        ("name", filter.name.as_str().into()),
        ("typed_config", typed(WASM, [("config", Value::Mapping(config))])),
    ]);
    patch("EXTENSION_CONFIG", Mapping::new(), "ADD", value)
}

fn inserted(filter: &Distinct, operation: &str) -> Value {
    let source =
        map([("ads", Value::Mapping(Mapping::new())), ("initial_fetch_timeout", "0s".into())]);
    let discovery = map([
        ("config_source", Value::Mapping(source)),
        ("type_urls", one(format!("type.googleapis.com/{WASM}").into())),
    ]);
    let value = map([
        ("name", filter.name.as_str().into()),
        // A request without a route is answered before the filter, as Kong does.
        ("disabled", true.into()),
        ("config_discovery", Value::Mapping(discovery)),
    ]);
    let router = (operation == "INSERT_BEFORE").then_some("envoy.filters.http.router");
    patch("HTTP_FILTER", listener(router), operation, value)
}

fn of_route(name: &str, value: Mapping) -> Value {
    let route = map([("name", name.into())]);
    let host = map([("route", Value::Mapping(route))]);
    let configuration = map([("vhost", Value::Mapping(host))]);
    let matching = map([("routeConfiguration", Value::Mapping(configuration))]);
    patch("HTTP_ROUTE", matching, "MERGE", value)
}
