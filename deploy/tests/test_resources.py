"""The Kubernetes resources, checked by schemas and by the filters themselves."""

import os
import re
import subprocess
import unittest
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from .files import DEPLOY, converted, documents, resource, resources

KUBERNETES = "1.34"
CORE = {"v1", "apps/v1", "policy/v1", "networking.k8s.io/v1"}
# What the specs of resources of other projects may hold, written by hand after their documents, as
# far as the files use it: no registry has the schemas. GATEHOUSE_CRDS names a directory with the
# files of the custom resource definitions themselves, against which the test then validates too.
CUSTOM = {
    "ServiceMonitor": {"selector", "endpoints"},
    "WasmPlugin": {
        "targetRefs", "selector", "url", "sha256", "pluginName", "phase", "priority", "failStrategy",
        "vmConfig", "pluginConfig", "imagePullSecret",
    },
    "EnvoyFilter": {"workloadSelector", "targetRefs", "configPatches", "priority"},
    "ServiceEntry": {"hosts", "exportTo", "location", "resolution", "ports", "endpoints"},
    "DestinationRule": {"host", "exportTo", "trafficPolicy"},
    "VirtualService": {"hosts", "gateways", "http"},
    "networking.istio.io Gateway": {"selector", "servers"},
    "EnvoyProxy": {"provider", "bootstrap"},
    "GatewayClass": {"controllerName", "parametersRef"},
    "Gateway": {"gatewayClassName", "listeners"},
    "HTTPRoute": {"parentRefs", "hostnames", "rules"},
    "EnvoyExtensionPolicy": {"targetRefs", "wasm"},
    "EnvoyPatchPolicy": {"targetRef", "type", "jsonPatches", "priority"},
}
ENVIRONMENT = {"GATEHOUSE_TOKEN": "a-token"}


def definitions(folder):
    """Returns the schema of each served version of a kind in the YAML files of a directory."""
    found = {}
    for path in sorted(Path(folder).rglob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text()):
            if each and each.get("kind") == "CustomResourceDefinition":
                spec = each["spec"]
                for version in spec["versions"]:
                    key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    found[key] = closed(version["schema"]["openAPIV3Schema"])
    return found


# A rule that many durations have (Common Expression Language).
DURATION = "duration(self) >= duration('1ms')"
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def short_durations(schema, value):
    """Returns the values that are shorter than a schema's rule wants. JSON Schema knows no rules."""
    if isinstance(value, list):
        return [short for each in value for short in short_durations(schema.get("items", {}), each)]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return [short for name, inner in value.items() for short in short_durations(known.get(name, {}), inner)]
    rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", [])]
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", str(value)) if DURATION in rules else []
    return [value] if parts and sum(float(number) * UNITS[unit] for number, unit in parts) < 0.001 else []


def closed(schema):
    """Returns a schema that refuses members that Kubernetes would drop."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    open_ended = "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        result["additionalProperties"] = False
    return result


class Resources(unittest.TestCase):
    def test_kubernetes_takes_its_own_resources(self):
        checked = 0
        for path, found in resources():
            if found["apiVersion"] in CORE:
                with self.subTest(path=path, kind=found["kind"]):
                    kubernetes_validate.validate(found, KUBERNETES, strict=True)
                    checked += 1
        self.assertEqual(checked, 6)

    def test_the_validation_would_find_a_mistake(self):
        wrong = resource(DEPLOY / "kubernetes/gatehouse-admin.yaml", "Deployment")
        wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, KUBERNETES, strict=True)

    def test_custom_resources_hold_what_their_documents_name(self):
        for path, found in [*resources(), *converted()]:
            if found["apiVersion"] not in CORE:
                with self.subTest(path=path, kind=found["kind"]):
                    group = found["apiVersion"].split("/")[0]
                    known = CUSTOM.get(f"{group} {found['kind']}") or CUSTOM[found["kind"]]
                    self.assertLessEqual(found["spec"].keys(), known)

    def test_converted_resources_have_names_that_kubernetes_takes_and_no_other_has(self):
        names = {}
        for path, found in converted("--admin", "https://gatehouse-admin.gatehouse.svc:8001"):
            name = found["metadata"]["name"]
            self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
            key = path, found["kind"], name
            self.assertNotIn(key, names)
            names[key] = found
        kinds = {kind for _, kind, _ in names}
        wanted = {"Gateway", "VirtualService", "ServiceEntry", "DestinationRule", "WasmPlugin", "EnvoyFilter"}
        self.assertEqual(kinds, wanted)

    @unittest.skipUnless("GATEHOUSE_CRDS" in os.environ, "GATEHOUSE_CRDS names no directory with definitions")
    def test_custom_resources_fit_their_definitions(self):
        known, checked = definitions(os.environ["GATEHOUSE_CRDS"]), set()
        istio = ((path, each) for path in Path("envoy-config").glob("istio-*") for each in documents(path))
        admin = ["--admin", "https://gatehouse-admin.gatehouse.svc:8001"]
        for path, found in [*resources(), *istio, *converted(), *converted(*admin)]:
            key = found["apiVersion"], found["kind"]
            if key in known:
                with self.subTest(path=path, kind=found["kind"]):
                    schema = known[key]["properties"]["spec"]
                    jsonschema.Draft202012Validator(schema).validate(found["spec"])
                    self.assertEqual(short_durations(schema, found["spec"]), [])
                    checked.add(found["kind"])
        self.assertTrue(checked)

    def test_the_rule_for_durations_would_find_a_mistake(self):
        timeout = {"x-kubernetes-validations": [{"rule": DURATION}]}
        schema = {"properties": {"http": {"items": {"properties": {"timeout": timeout}}}}}
        values = {"http": [{"timeout": "0s"}, {"timeout": "1.500s"}, {"timeout": "1m0.5s"}, {"name": "0s"}]}
        self.assertEqual(short_durations(schema, values), ["0s"])

    def test_every_filter_takes_its_settings(self):
        files = {"istio/waypoint.yaml": 1, "envoy-gateway/policy.yaml": 5}
        for name, filters in files.items():
            command = ["dist/gatehouse-admin", "check-config", "--env", DEPLOY / name]
            found = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
            number = f"{filters} filter{'s' if filters > 1 else ''}, 0 errors, 0 warnings"
            self.assertTrue(found.returncode == 0 and number in found.stdout, found.stdout)

    def test_images_are_those_that_make_package_makes(self):
        version = re.search(r'^version = "(.+)"$', Path("Cargo.toml").read_text(), re.MULTILINE)[1]
        made = {path.stem.removeprefix("gatehouse_") for path in Path("dist/filters").glob("*.wasm")}
        made |= {"gatehouse", "gatehouse-admin"}
        found = set()
        for path in sorted(DEPLOY.rglob("*.yaml")):
            for name, tag in re.findall(r"registry\.example\.com/gatehouse/([\w-]+):([\w.-]+)", path.read_text()):
                self.assertEqual((name in made, tag), (True, version), f"{path}: {name}")
                found.add(name)
        self.assertLessEqual({"gatehouse-admin", "gatehouse", "key_auth"}, found)

    def test_the_service_gets_no_variable_that_it_does_not_know(self):
        command = ["dist/gatehouse-admin", "serve", "--help"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        deployment = resource(DEPLOY / "kubernetes/gatehouse-admin.yaml", "Deployment")
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]:
            self.assertIn(f"[env: {variable['name']}", told)

    def test_what_the_pods_mount_and_select_exists(self):
        file = DEPLOY / "kubernetes/gatehouse-admin.yaml"
        pod = resource(file, "Deployment")["spec"]["template"]
        labels = pod["metadata"]["labels"].items()
        service = resource(file, "Service")
        selectors = [
            service["spec"]["selector"],
            resource(file, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            resource(file, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        ]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels)
        [container] = pod["spec"]["containers"]
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        self.assertEqual(volumes, {mount["name"] for mount in container["volumeMounts"]})
        files = {f"/secrets/{item['path']}" for item in pod["spec"]["volumes"][0]["secret"]["items"]}
        named = {each["value"] for each in container["env"] if each["name"].endswith("_FILE")}
        self.assertEqual(files, named)
        ports = {port["name"] for port in container["ports"]}
        monitor = resource(DEPLOY / "kubernetes/service-monitor.yaml", "ServiceMonitor")["spec"]
        [port] = service["spec"]["ports"]
        self.assertIn(port["targetPort"], ports)
        self.assertEqual(monitor["endpoints"][0]["port"], port["name"])
        wanted = monitor["selector"]["matchLabels"].items()
        self.assertLessEqual(wanted, service["metadata"]["labels"].items())


if __name__ == "__main__":
    unittest.main()
