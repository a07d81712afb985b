"""The commands of docs/deploying for Kubernetes: what they create is what the files name.

kubectl makes the resources without a cluster (`--dry-run=client`); what it would ask a cluster for
is made up.
"""

import base64
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from .files import DEPLOY, documents

# Empty if there is none.
KUBECTL = subprocess.run(["scripts/helm", "kubectl"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
# The programs of the documents. What is created goes to the file $CREATED.
PROGRAMS = r"""
kubectl() {
  case " $* " in
    *" get secret "*) printf 'made-up-%s' "$(sed -n "s/.*data\.\([a-z-]*\).*/\1/p" <<<"$*")" | base64 -w 0 ;;
    *" create "*) echo --- >>"$CREATED"; "$KUBECTL" "$@" --dry-run=client -o yaml >>"$CREATED" ;;
    *" apply "*) for word; do case $word in *.yaml) test -f "$word" ;; esac; done ;;
    *" rollout "* | *" describe "* | *" set env "*) ;;
    *) echo "kubectl $*" >&2; return 1 ;;
  esac
}
helm() {
  case $1 in
    repo) ;;
    install) for word; do case $word in *.yaml) test -f "$word" ;; deploy/*) test -d "$word" ;; esac; done ;;
    *) echo "helm $*" >&2; return 1 ;;
  esac
}
"""


def blocks(path):
    """Returns the commands of a document."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", Path(path).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in found if re.search(r"^ *(kubectl|helm) ", block, re.MULTILINE)]


def named(value):
    """Returns the secrets and configurations that a resource needs, each with its keys."""
    if isinstance(value, list):
        return [found for each in value for found in named(each)]
    if not isinstance(value, dict):
        return []
    found = []
    reference = value.get("secretKeyRef")
    if reference and not reference.get("optional"):
        found.append((reference["name"], {reference["key"]}))
    secret = value.get("secret")
    if isinstance(secret, dict) and "secretName" in secret:
        found.append((secret["secretName"], {item["key"] for item in secret.get("items", [])}))
    if "credentialName" in value:
        found.append((value["credentialName"], {"ca.crt"}))
    if isinstance(value.get("configMap"), dict):
        found.append((value["configMap"]["name"], set()))
    return found + [each for inner in value.values() for each in named(inner)]


@unittest.skipUnless(KUBECTL, "there is no kubectl: it is not on the PATH, and PyPI has it for Linux x86-64 only")
class Procedures(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.created = Path(scratch.name, "created.yaml")
        # The documents' certificate of an authority, beside the folders that they name.
        self.here = Path(scratch.name, "here")
        self.here.mkdir()
        for name in ("deploy", "envoy-config"):
            (self.here / name).symlink_to(Path(name).resolve())
        (self.here / "ca.crt").write_text("a certificate")

    def run_commands(self, text):
        """Runs commands, and returns what they have created, by name."""
        environment = os.environ | {"KUBECTL": KUBECTL, "CREATED": str(self.created)}
        command = ["bash", "-euo", "pipefail", "-c", PROGRAMS + text]
        done = subprocess.run(command, cwd=self.here, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = yaml.safe_load_all(self.created.read_text())
        return {each["metadata"]["name"]: each for each in found if each and each["kind"] != "Namespace"}

    def follow(self, document, files, elsewhere=()):
        """Follows a document, and checks that it creates what the files need. `elsewhere` are the
        secrets that another program makes.
        """
        created = self.run_commands("".join(blocks(f"docs/deploying/{document}")))
        needed = [found for path in files for each in documents(path) for found in named(each)]
        self.assertTrue(needed)
        for name, keys in needed:
            if name not in elsewhere:
                self.assertIn(name, created)
                self.assertLessEqual(keys, created[name]["data"].keys(), name)
        return created

    def test_those_of_the_admin_service(self):
        files = [DEPLOY / "kubernetes/gatehouse-admin.yaml"]
        created = self.follow("kubernetes.md", files, elsewhere={"gatehouse-admin-tls"})
        self.assertEqual(created["gatehouse-admin"]["metadata"]["namespace"], "gatehouse")
        for key in ("admin-token", "gateway-token", "encryption-key"):
            self.assertRegex(base64.b64decode(created["gatehouse-admin"]["data"][key]).decode(), "^[0-9a-f]{64}$")

    def test_those_of_istio(self):
        created = self.follow("istio.md", [DEPLOY / "istio/destinations.yaml"])
        token = base64.b64decode(created["gatehouse-gateway"]["data"]["GATEHOUSE_TOKEN"])
        self.assertEqual(token, b"made-up-gateway-token")

    def test_those_of_envoy_gateway(self):
        self.follow("envoy-gateway.md", [DEPLOY / "envoy-gateway/gateway.yaml"])

    def test_those_of_kong(self):
        created = self.follow("kong.md", [DEPLOY / "kong/values.yaml"])
        self.assertEqual(created["gatehouse-kong"]["data"]["kong.yml"], (DEPLOY / "kong/kong.yml").read_text())

    def test_those_at_the_top_of_a_converted_file(self):
        kong = Path("tools/gateway-files/tests/kong/groups.yml").resolve()
        admin = Path("dist/gatehouse-admin").resolve()
        command = [admin, "convert", kong, "--to", "istio", "--secrets", "gatehouse.env"]
        done = subprocess.run(command, cwd=self.here, capture_output=True, text=True, check=True)
        text = done.stdout
        head = [line.removeprefix("#") for line in text.splitlines() if line.startswith("#")]
        variables = re.search(r"`(set -a; [^`]+)`", "\n".join(head))[1]
        first = next(number for number, line in enumerate(head) if line.strip().startswith("kubectl"))
        created = self.run_commands(variables + "\n" + "\n".join(head[first:]))
        values = {name: base64.b64decode(value) for name, value in created["gatehouse-gateway"]["data"].items()}
        wanted = {"GATEHOUSE_KEY_ANA": b"anas-key", "GATEHOUSE_KEY_BOB": b"bobs-key", "GATEHOUSE_KEY_EVE": b"eves-key"}
        self.assertEqual(values, wanted)


if __name__ == "__main__":
    unittest.main()
