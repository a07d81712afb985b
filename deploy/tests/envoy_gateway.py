"""What Envoy Gateway makes of the files in deploy/envoy-gateway, as an Envoy configuration.

It follows the controller's own translation (internal/xds/translator/wasm.go and jsonpatch.go,
version 1.5 and newer): every entry of a policy is a filter of the listener that is switched off,
and each route of the policy switches it on. The module is read from a file here; the controller
serves it over HTTP.
"""

import json

import jsonpath

from .files import DEPLOY, documents, resource

FOLDER = DEPLOY / "envoy-gateway"
WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def patched(document, operation):
    """Returns `document` after a JSON patch whose place is a path, or a JSONPath and a path
    below it.
    """
    places = [operation.get("path", "")]
    if "jsonPath" in operation:
        found = list(jsonpath.finditer(operation["jsonPath"], document))
        assert found, f"nothing at {operation['jsonPath']}"
        places = [str(match.pointer()) + places[0] for match in found]
    for place in places:
        step = {"op": operation["op"], "path": place, "value": operation["value"]}
        document = jsonpath.JSONPatch([step]).apply(document)
    return document


def module(image):
    """Returns the file of the module that an image holds."""
    name = image["url"].rsplit("/", 1)[1].split(":")[0]
    return "dist/gatehouse.wasm" if name == "gatehouse" else f"dist/filters/gatehouse_{name}.wasm"


def filters():
    """Returns the filters of the policy, and which routes they are for."""
    policy = resource(FOLDER / "policy.yaml", "EnvoyExtensionPolicy")
    place = f"envoyextensionpolicy/{policy['metadata']['namespace']}/{policy['metadata']['name']}/wasm"
    made = []
    for number, wasm in enumerate(policy["spec"]["wasm"]):
        name = f"{place}/{number}"
        text = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(wasm["config"])}
        vm = {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module(wasm["code"]["image"])}},
            "environment_variables": {"host_env_keys": wasm["env"]["hostKeys"]},
        }
        config = {"name": wasm["name"], "root_id": wasm["rootID"], "vm_config": vm, "configuration": text}
        typed = {"@type": WASM, "config": config}
        made.append({"name": f"envoy.filters.http.wasm/{name}", "disabled": True, "typed_config": typed})
    return made, {target["name"] for target in policy["spec"]["targetRefs"]}


def virtual_hosts(made, targets):
    """Returns the virtual hosts of all routes; every backend is the cluster `orders`."""
    switched_on = {
        each["name"]: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
        for each in made
    }
    routes, hosts = [], set()
    for found in documents(FOLDER / "gateway.yaml"):
        if found["kind"] == "HTTPRoute":
            hosts.update(found["spec"]["hostnames"])
            for rule in found["spec"]["rules"]:
                path = rule["matches"][0]["path"]
                key = {"PathPrefix": "path_separated_prefix", "Exact": "path"}[path["type"]]
                route = {"match": {key: path["value"]}, "route": {"cluster": "orders"}}
                if found["metadata"]["name"] in targets:
                    route["typed_per_filter_config"] = switched_on
                routes.append(route)
    return [{"name": "all", "domains": sorted(hosts), "routes": routes}]


def listener(port):
    """Returns the listener after the patches of patch.yaml."""
    made, targets = filters()
    manager = {
        "@type": MANAGER,
        "stat_prefix": "http",
        "route_config": {"virtual_hosts": virtual_hosts(made, targets)},
        "http_filters": [*made, {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    found = {"name": "tcp-80", "address": address, "default_filter_chain": chain}
    for patch in resource(FOLDER / "patch.yaml", "EnvoyPatchPolicy")["spec"]["jsonPatches"]:
        assert patch["name"] == found["name"]
        found = patched(found, patch["operation"])
    return found


def bootstrap(port, upstream):
    """Returns the configuration of an Envoy that listens on `port`. `upstream` is the port
    behind it.
    """
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    orders = {"name": "orders", "type": "STATIC", "load_assignment": {"cluster_name": "orders", "endpoints": endpoints}}
    made = {"static_resources": {"listeners": [listener(port)], "clusters": [orders]}}
    for operation in resource(FOLDER / "gateway.yaml", "EnvoyProxy")["spec"]["bootstrap"]["jsonPatches"]:
        made = patched(made, operation)
    return made
