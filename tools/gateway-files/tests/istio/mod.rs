//! The configuration that Istio makes of converted resources, as a bootstrap file of an Envoy.
//!
//! It follows Istio's own translation of VirtualServices (`pilot/pkg/networking/core/route`),
//! ServiceEntries, DestinationRules, WasmPlugins and EnvoyFilters. Only what stands around the
//! routes, clusters and filters is left out, and the module is a file.

use serde_norway::{Mapping, Value};

/// Returns the bootstrap file of a gateway with these resources.
pub fn rendered(text: &str) -> Value {
    let resources = gateway_files::documents::read(text).unwrap();
    let of = |kind: &'static str| resources.iter().filter(move |one| one["kind"] == kind);
    let gateways: Vec<&Value> = of("Gateway").collect();
    let [gateway] = gateways[..] else { panic!("{} Gateways", gateways.len()) };
    assert_eq!(gateway["spec"]["servers"][0]["port"]["protocol"], "HTTP");
    let mut manager = of_type(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "{ stat_prefix: gateway, use_remote_address: true }",
    );
    let hosts = of("VirtualService").map(virtual_host).collect();
    manager["route_config"] = yaml("{ name: kong, ignore_port_in_host_matching: true }");
    manager["route_config"]["virtual_hosts"] = Value::Sequence(hosts);
    let mut plugins: Vec<&Value> = of("WasmPlugin").collect();
    plugins.sort_by_key(|plugin| std::cmp::Reverse(plugin["spec"]["priority"].as_u64()));
    let mut filters: Vec<Value> = plugins.into_iter().map(plugin).collect();
    filters.push(yaml("name: envoy.filters.http.router"));
    let router = "envoy.extensions.filters.http.router.v3.Router";
    filters.last_mut().unwrap()["typed_config"] = of_type(router, "{}");
    manager["http_filters"] = Value::Sequence(filters);
    for patch in of("EnvoyFilter").flat_map(|filter| list(&filter["spec"]["configPatches"])) {
        assert_eq!(patch["match"]["context"], "GATEWAY");
        apply(&patch, &mut manager);
    }
    discover(&mut manager);
    let mut listener = yaml(
        "{ name: gateway, address: { socket_address: { address: 127.0.0.1, port_value: 8000 } } }",
    );
    listener["filter_chains"] =
        yaml("[{ filters: [{ name: envoy.filters.network.http_connection_manager }] }]");
    listener["filter_chains"][0]["filters"][0]["typed_config"] = manager;
    let rules: Vec<&Value> = of("DestinationRule").collect();
    let clusters = rules.iter().flat_map(|rule| {
        let host = &rule["spec"]["host"];
        clusters(rule, of("ServiceEntry").find(|entry| entry["spec"]["hosts"][0] == *host))
    });
    let mut root =
        yaml("admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }");
    root["static_resources"] = yaml("{}");
    root["static_resources"]["listeners"] = Value::Sequence(vec![listener]);
    root["static_resources"]["clusters"] = Value::Sequence(clusters.collect());
    root
}

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).unwrap()
}

fn of_type(name: &str, members: &str) -> Value {
    let mut all = yaml(&format!("\"@type\": type.googleapis.com/{name}"));
    merge(&mut all, &yaml(members));
    all
}

fn list(value: &Value) -> Vec<Value> {
    value.as_sequence().cloned().unwrap_or_default()
}

/// Merges as Protobuf does: members of messages one by one.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Mapping(into), Value::Mapping(from)) => {
            for (name, value) in from {
                match into.get_mut(name) {
                    Some(known) => merge(known, value),
                    None => drop(into.insert(name.clone(), value.clone())),
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn virtual_host(service: &Value) -> Value {
    assert_eq!(service["spec"]["gateways"][0], "gatehouse");
    let host = &service["spec"]["hosts"][0];
    let mut all = yaml("{ name: host, domains: [] }");
    all["name"] = host.clone();
    let name = host.as_str().unwrap();
    let mut domains = vec![host.clone()];
    if name != "*" && !name.contains('*') {
        domains.push(format!("{name}:*").into());
    }
    all["domains"] = Value::Sequence(domains);
    all["routes"] = Value::Sequence(list(&service["spec"]["http"]).iter().map(route).collect());
    all
}

fn route(http: &Value) -> Value {
    let condition = &http["match"][0];
    assert_eq!(list(&http["match"]).len(), 1);
    let mut matching = Mapping::new();
    let (kind, path) = condition["uri"].as_mapping().unwrap().iter().next().unwrap();
    match kind.as_str().unwrap() {
        "exact" => drop(matching.insert("path".into(), path.clone())),
        "prefix" => drop(matching.insert("prefix".into(), path.clone())),
        "regex" => drop(matching.insert("safe_regex".into(), member("regex", path))),
        other => panic!("{other}"),
    }
    let mut headers = Vec::new();
    let own = [("method", ":method"), ("authority", ":authority")];
    let own = own
        .into_iter()
        .filter_map(|(name, header)| Some((Value::from(header), condition.get(name)?.clone())));
    let others = condition["headers"].as_mapping().cloned().unwrap_or_default();
    for (name, value) in own.chain(others) {
        let regex = member("safe_regex", &member("regex", &value["regex"]));
        let mut header = member("name", &name);
        header["string_match"] = regex;
        headers.push(header);
    }
    if !headers.is_empty() {
        matching.insert("headers".into(), Value::Sequence(headers));
    }
    let mut all = member("name", &http["name"]);
    all["match"] = Value::Mapping(matching);
    if let Some(reply) = http.get("directResponse") {
        all["direct_response"] = member("status", &reply["status"]);
        all["direct_response"]["body"] = member("inline_string", &reply["body"]["string"]);
        return all;
    }
    let destination = &http["route"][0]["destination"];
    let mut action =
        member("cluster", &cluster(&destination["host"], &destination["port"]["number"]));
    let rewrite = &http["rewrite"];
    if let Some(regex) = rewrite.get("uriRegexRewrite") {
        action["regex_rewrite"] = member("pattern", &member("regex", &regex["match"]));
        action["regex_rewrite"]["substitution"] = regex["rewrite"].clone();
    } else if let Some(prefix) = rewrite.get("uri") {
        action["prefix_rewrite"] = prefix.clone();
    }
    if let Some(authority) = rewrite.get("authority") {
        action["host_rewrite_literal"] = authority.clone();
    }
    // Without a limit. Istio refuses one of 0.
    assert!(http.get("timeout").is_none());
    action["timeout"] = "0s".into();
    if http["retries"]["attempts"] != 0 {
        action["retry_policy"] = member("retry_on", &http["retries"]["retryOn"]);
        action["retry_policy"]["num_retries"] = http["retries"]["attempts"].clone();
    }
    all["route"] = action;
    all
}

fn member(name: &str, value: &Value) -> Value {
    Value::Mapping([(Value::from(name), value.clone())].into_iter().collect())
}

fn cluster(host: &Value, port: &Value) -> Value {
    format!("outbound|{}||{}", port.as_u64().unwrap(), host.as_str().unwrap()).into()
}

/// Returns the clusters of a host: one for each of its ports.
fn clusters(rule: &Value, entry: Option<&Value>) -> Vec<Value> {
    let spec = &rule["spec"];
    let policy = &spec["trafficPolicy"];
    match entry {
        Some(entry) => {
            let port = &entry["spec"]["ports"][0];
            let mut endpoints = list(&entry["spec"]["endpoints"]);
            if endpoints.is_empty() {
                endpoints.push(member("address", &spec["host"]));
            }
            let name = port["name"].as_str().unwrap();
            let at = |endpoint: &Value| {
                let own = endpoint.get("ports").and_then(|ports| ports.get(name));
                let port = own.unwrap_or(&port["number"]).clone();
                (endpoint["address"].clone(), port, endpoint.get("weight").cloned())
            };
            let endpoints = endpoints.iter().map(at).collect();
            vec![one_cluster(cluster(&spec["host"], &port["number"]), endpoints, policy)]
        }
        None => list(&policy["portLevelSettings"])
            .iter()
            .map(|own| {
                let port = own["port"]["number"].clone();
                // Whoever writes `.svc` means this host.
                let whole = spec["host"].as_str().unwrap();
                assert!(whole.ends_with(".svc.cluster.local"), "{whole}");
                let host = own["tls"].get("sni").unwrap_or(&spec["host"]).clone();
                one_cluster(cluster(&spec["host"], &port), vec![(host, port, None)], own)
            })
            .collect(),
    }
}

fn one_cluster(
    name: Value,
    endpoints: Vec<(Value, Value, Option<Value>)>,
    policy: &Value,
) -> Value {
    let mut all = member("name", &name);
    all["type"] = "STRICT_DNS".into();
    all["connect_timeout"] = policy["connectionPool"]["tcp"]["connectTimeout"].clone();
    all["load_assignment"] = member("cluster_name", &name);
    let endpoints = endpoints.into_iter().map(|(host, port, weight)| {
        let mut one = yaml("endpoint: { address: { socket_address: {} } }");
        one["endpoint"]["address"]["socket_address"]["address"] = host;
        one["endpoint"]["address"]["socket_address"]["port_value"] = port;
        if let Some(weight) = weight {
            one["load_balancing_weight"] = weight;
        }
        one
    });
    let endpoints = Value::Sequence(endpoints.collect());
    all["load_assignment"]["endpoints"] = Value::Sequence(vec![member("lb_endpoints", &endpoints)]);
    let balancer = &policy["loadBalancer"]["simple"];
    if !balancer.is_null() {
        all["lb_policy"] = balancer.clone();
    }
    if policy["tls"]["mode"] == "SIMPLE" {
        let name = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        let mut context = of_type(name, "{}");
        context["sni"] = policy["tls"]["sni"].clone();
        all["transport_socket"] = yaml("name: envoy.transport_sockets.tls");
        all["transport_socket"]["typed_config"] = context;
    }
    all
}

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

fn plugin(plugin: &Value) -> Value {
    let spec = &plugin["spec"];
    assert!(spec["url"].as_str().unwrap().starts_with("oci://") && spec["phase"] == "AUTHN");
    let mut environment = yaml("{ key_values: {}, host_env_keys: [] }");
    for variable in list(&spec["vmConfig"]["env"]) {
        let name = variable["name"].clone();
        match variable.get("value") {
            Some(value) => {
                environment["key_values"][name.as_str().unwrap()] = value.clone();
            }
            None => environment["host_env_keys"].as_sequence_mut().unwrap().push(name),
        }
    }
    let mut config = member("root_id", &spec["pluginName"]);
    config["name"] = plugin["metadata"]["name"].clone();
    let open = spec["failStrategy"] == "FAIL_OPEN";
    config["failure_policy"] = if open { "FAIL_OPEN" } else { "FAIL_CLOSED" }.into();
    config["configuration"] = of_type("google.protobuf.Struct", "{}");
    config["configuration"]["value"] = spec["pluginConfig"].clone();
    config["vm_config"] = yaml("runtime: envoy.wasm.runtime.v8");
    config["vm_config"]["environment_variables"] = environment;
    let name = format!("wasmplugin/{}", plugin["metadata"]["name"].as_str().unwrap());
    wasm(&name.into(), config)
}

/// Returns a filter whose module is a file, as the agent has downloaded it.
fn wasm(name: &Value, mut config: Value) -> Value {
    config["vm_config"]["code"] = yaml("local: { filename: gatehouse.wasm }");
    let mut all = member("name", name);
    all["typed_config"] = of_type(WASM, "{}");
    all["typed_config"]["config"] = config;
    all
}

/// Gives each filter that waits for its configuration what the agent has handed to Envoy.
fn discover(manager: &mut Value) {
    let handed = manager.as_mapping_mut().unwrap().shift_remove("extensions").unwrap_or_default();
    for filter in manager["http_filters"].as_sequence_mut().unwrap() {
        if filter.as_mapping_mut().unwrap().shift_remove("config_discovery").is_some() {
            let own = list(&handed).into_iter().find(|one| one["name"] == filter["name"]).unwrap();
            filter["typed_config"] = own["typed_config"].clone();
        }
        assert!(!filter["typed_config"].is_null(), "{filter:?} has no configuration");
    }
}

/// Applies a patch of an EnvoyFilter to the connection manager.
fn apply(patch: &Value, manager: &mut Value) {
    let value = &patch["patch"]["value"];
    let operation = patch["patch"]["operation"].as_str().unwrap();
    let filters = manager["http_filters"].as_sequence_mut().unwrap();
    match (patch["applyTo"].as_str().unwrap(), operation) {
        ("NETWORK_FILTER", "MERGE") => merge(manager, &value["typed_config"]),
        // The agent hands it to the filters of this name, which come later and wait for it.
        ("EXTENSION_CONFIG", "ADD") => {
            let made = wasm(&value["name"], value["typed_config"]["config"].clone());
            let waiting = manager.as_mapping_mut().unwrap();
            let known = waiting.entry("extensions".into()).or_insert_with(|| yaml("[]"));
            known.as_sequence_mut().unwrap().push(made);
        }
        ("HTTP_FILTER", operation) => {
            let router = &patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
            let at = match operation {
                "INSERT_FIRST" => 0,
                "INSERT_BEFORE" => filters.iter().position(|one| one["name"] == *router).unwrap(),
                other => panic!("{other}"),
            };
            assert_eq!(value["config_discovery"]["config_source"]["ads"], yaml("{}"));
            filters.insert(at, value.clone());
        }
        ("HTTP_ROUTE", "MERGE") => {
            let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
            let hosts = manager["route_config"]["virtual_hosts"].as_sequence_mut().unwrap();
            let routes =
                hosts.iter_mut().flat_map(|host| host["routes"].as_sequence_mut().unwrap());
            let mut found = false;
            for route in routes.filter(|route| route["name"] == *name) {
                merge(route, value);
                found = true;
            }
            assert!(found, "no route {name:?}");
        }
        other => panic!("{other:?}"),
    }
}
