"""The chart of gatehouse-admin, rendered by Helm: by default it makes the plain files."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

from package.tests import made

from .files import DEPLOY, documents
from .test_resources import CORE, CUSTOM, KUBERNETES

CHART = DEPLOY / "kubernetes/chart"
# Empty if there is none.
HELM = subprocess.run(["scripts/helm"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
# All that can be said.
VALUES = {
    "image": {"repository": "example.org/admin", "tag": "2", "pullPolicy": "Always", "pullSecrets": ["one", "two"]},
    "replicas": 3,
    "secret": "keys",
    "secretFiles": ["database-ca.crt"],
    "tlsSecret": "certificate",
    "env": {"GATEHOUSE_STRICT_APP_IDS": True, "GATEHOUSE_CHANGE_HISTORY": 1000},
    "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
    "podAnnotations": {"example.org/a": "b"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "podDisruptionBudget": {"minAvailable": "50%"},
    "networkPolicy": {"from": ["gateways"], "toPorts": [6432]},
    "serviceMonitor": {"enabled": True, "interval": "10s", "labels": {"release": "prometheus"}},
}


@unittest.skipUnless(HELM, "there is no Helm: `helm` is not on the PATH, and PyPI has it for Linux x86-64 only")
class Chart(unittest.TestCase):
    def render(self, values, chart=CHART):
        """Returns the resources that the chart makes of these values, by kind."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            command = [HELM, "template", "gatehouse-admin", chart, "--namespace", "gatehouse", "--values", file.name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}

    def validate(self, rendered):
        """Checks resources by the schemas of Kubernetes, and a monitor by what its document names."""
        for kind, each in rendered.items():
            if each["apiVersion"] in CORE:
                kubernetes_validate.validate(each, KUBERNETES, strict=True)
            else:
                self.assertLessEqual(each["spec"].keys(), CUSTOM[kind])

    def test_helm_finds_nothing_to_complain_about(self):
        done = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_by_default_it_makes_the_plain_files(self):
        folder = DEPLOY / "kubernetes"
        plain = documents(folder / "gatehouse-admin.yaml") + documents(folder / "service-monitor.yaml")
        # `helm install --create-namespace` makes it.
        plain = {each["kind"]: each for each in plain if each["kind"] != "Namespace"}
        rendered = self.render({"serviceMonitor": {"enabled": True}})
        self.assertEqual(rendered, plain)
        self.validate(rendered)
        self.assertEqual(self.render({}).keys(), plain.keys() - {"ServiceMonitor"})

    def test_every_value_has_an_effect_that_kubernetes_takes(self):
        rendered = self.render(VALUES)
        self.validate(rendered)
        pod = rendered["Deployment"]["spec"]["template"]
        [container] = pod["spec"]["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        items = [item["path"] for item in pod["spec"]["volumes"][0]["secret"]["items"]]
        policy = rendered["NetworkPolicy"]["spec"]
        found = {
            "image": container["image"],
            "pull": (container["imagePullPolicy"], [each["name"] for each in pod["spec"]["imagePullSecrets"]]),
            "replicas": rendered["Deployment"]["spec"]["replicas"],
            "env": (env["GATEHOUSE_STRICT_APP_IDS"], env["GATEHOUSE_CHANGE_HISTORY"]),
            "file": items[-1],
            "resources": (container["resources"]["requests"]["cpu"], container["resources"]["limits"]["memory"]),
            "pod": (pod["metadata"]["annotations"], pod["spec"]["nodeSelector"], pod["spec"]["tolerations"]),
            "budget": rendered["PodDisruptionBudget"]["spec"]["minAvailable"],
            "from": policy["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"],
            "to": policy["egress"][0]["ports"][-1]["port"],
            "monitor": (
                rendered["ServiceMonitor"]["metadata"]["labels"],
                rendered["ServiceMonitor"]["spec"]["endpoints"][0]["interval"],
            ),
        }
        wanted = {
            "image": "example.org/admin:2",
            "pull": ("Always", ["one", "two"]),
            "replicas": 3,
            "env": ("true", "1000"),
            "file": "database-ca.crt",
            "resources": ("1", "1Gi"),
            "pod": (VALUES["podAnnotations"], VALUES["nodeSelector"], VALUES["tolerations"]),
            "budget": "50%",
            "from": ["gateways"],
            "to": 6432,
            "monitor": ({"release": "prometheus"}, "10s"),
        }
        self.assertEqual(found, wanted)
        text = json.dumps(rendered)
        self.assertNotIn('"gatehouse-admin-tls"', text)
        self.assertNotIn('"name": "gatehouse-admin", "key"', text)
        self.assertNotIn("NetworkPolicy", self.render({"networkPolicy": {"enabled": False}}))

    def test_a_value_that_it_does_not_know_is_refused(self):
        for wrong in ({"replica": 3}, {"env": {"lower": "x"}}, {"networkPolicy": {"from": []}}):
            with self.subTest(wrong=wrong), self.assertRaises(AssertionError):
                self.render(wrong)

    def test_the_values_that_are_tested_are_all_that_there_are(self):
        [values] = documents(CHART / "values.yaml")
        self.assertEqual(VALUES.keys(), values.keys())

    def test_its_version_is_that_of_the_project_and_the_package_is_the_chart(self):
        version = re.search(r'^version = "(.+)"$', Path("Cargo.toml").read_text(), re.MULTILINE)[1]
        [chart] = documents(CHART / "Chart.yaml")
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        packed = made.all_packages() / f"gatehouse-admin-{version}.tgz"
        self.assertEqual(self.render(VALUES, packed), self.render(VALUES))


if __name__ == "__main__":
    unittest.main()
