"""What Istio makes of its files, as an Envoy configuration.

It follows Istio's own translation (pilot/pkg/model/extensions.go and pkg/wasm/convert.go): plugins
stand in the order of their phases and, in a phase, the higher priority first; the agent downloads
the module and takes its own variables out again. Only what stands around the filters is left out.
"""

import json

from .files import DEPLOY, documents, resource

WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
PHASES = ["AUTHN", "AUTHZ", "STATS", "UNSPECIFIED_PHASE"]
STRATEGIES = {"FAIL_CLOSE": "FAIL_CLOSED", "FAIL_OPEN": "FAIL_OPEN", "FAIL_RELOAD": "FAIL_RELOAD"}
ADMIN = "gatehouse-admin.gatehouse.svc.cluster.local"
MODULE = {"local": {"filename": "dist/gatehouse.wasm"}}


def plugins(path):
    """Returns the filters of all WasmPlugins of a file, in the order in which they run."""

    def place(plugin):
        spec = plugin["spec"]
        return PHASES.index(spec.get("phase", PHASES[-1])), -spec.get("priority", 0)

    return [plugin_filter(each) for each in sorted(wasm_plugins(path), key=place)]


def wasm_plugins(path):
    """Returns the WasmPlugins of a file."""
    return [each for each in documents(path) if each["kind"] == "WasmPlugin"]


def plugin_filter(plugin):
    """Returns the filter of a WasmPlugin."""
    spec, name = plugin["spec"], f"{plugin['metadata']['namespace']}.{plugin['metadata']['name']}"
    assert "/gatehouse/gatehouse:" in spec["url"], spec["url"]
    text = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(spec["pluginConfig"])}
    variables = spec["vmConfig"]["env"]
    environment = {
        "key_values": {each["name"]: each["value"] for each in variables if "value" in each},
        "host_env_keys": [each["name"] for each in variables if each.get("valueFrom") == "HOST"],
    }
    vm = {"runtime": "envoy.wasm.runtime.v8", "code": MODULE, "environment_variables": environment}
    config = {
        "name": name,
        "root_id": spec["pluginName"],
        "failure_policy": STRATEGIES[spec["failStrategy"]],
        "configuration": text,
        "vm_config": vm,
    }
    return {"name": f"extensions.istio.io/wasmplugin/{name}", "typed_config": {"@type": WASM, "config": config}}


def inserted(path):
    """Returns the filter that the EnvoyFilter of a file adds before all others."""
    extension, first = (each["patch"] for each in resource(path, "EnvoyFilter")["spec"]["configPatches"])
    assert (extension["operation"], first["operation"]) == ("ADD", "INSERT_FIRST")
    assert extension["value"]["name"] == first["value"]["name"]
    made = extension["value"]
    made["typed_config"]["config"]["vm_config"]["code"] = MODULE
    return made


def per_route(path):
    """Returns the name of the route that the EnvoyFilter of a file changes, and its change."""
    [patch] = resource(path, "EnvoyFilter")["spec"]["configPatches"]
    assert (patch["applyTo"], patch["patch"]["operation"]) == ("HTTP_ROUTE", "MERGE")
    return patch["match"]["routeConfiguration"]["vhost"]["route"]["name"], patch["patch"]["value"]


def cluster(host, port, address):
    """Returns the cluster of a host as the DestinationRule of the files has it, at another
    address.
    """
    found = (each for each in documents(DEPLOY / "istio/destinations.yaml") if each["kind"] == "DestinationRule")
    [rule] = (each["spec"] for each in found if each["spec"]["host"] == host)
    tls = rule["trafficPolicy"]["tls"]
    assert tls["mode"] == "SIMPLE"
    names = [{"san_type": "DNS", "matcher": {"exact": name}} for name in tls["subjectAltNames"]]
    validation = {"trusted_ca": {"filename": address["ca"]}, "match_typed_subject_alt_names": names}
    context = {"@type": TLS, "sni": tls["sni"], "common_tls_context": {"validation_context": validation}}
    name = f"outbound|{port}||{host}"
    return plain(name, address["port"]) | {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}
    }


def plain(name, port):
    """Returns a cluster on a port of this machine."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def bootstrap(port, filters, clusters, routes):
    """Returns the configuration of an Envoy with these filters. Every route leads to `orders`."""
    manager = {
        "@type": MANAGER,
        "stat_prefix": "http",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "http", "address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}
