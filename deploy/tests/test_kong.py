"""The values for Kong's chart, and its declarative file. Helm itself does not run in the tests."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import jsonschema

from package.tests import made

from .files import DEPLOY, documents
from .running import GATEWAY, KONG, NAME, Running, settings_of_kong

FOLDER = DEPLOY / "kong"
INFO = "_info:\n  select_tags: [gatehouse]\n"
[VALUES] = documents(FOLDER / "values.yaml")
# What the chart makes of `env`.
ENVIRONMENT = {f"KONG_{name.upper()}": value for name, value in VALUES["env"].items()}


@unittest.skipUnless(KONG, "there is no Kong 3.9 (README.md, Versions)")
class Kong(Running):
    def test_the_kong_of_the_values_guards_its_upstream_and_calls_with_tls(self):
        cert, key = self.certificate()
        self.start_admin(cert, key)
        replaced = [
            ("http://orders.default.svc.cluster.local:8080", f"http://127.0.0.1:{self.upstream}"),
            (f"{NAME}.cluster.local:8001", f"127.0.0.1:{self.admin}"),
        ]
        trusted = ENVIRONMENT["KONG_LUA_SSL_TRUSTED_CERTIFICATE"]
        trusted = trusted.replace("/etc/gatehouse/ca.crt", str(cert))
        here = {"KONG_LUA_SSL_TRUSTED_CERTIFICATE": trusted}
        self.start_kong((FOLDER / "kong.yml").read_text(), replaced, ENVIRONMENT | here)
        self.assert_guarded("/orders/1")


    def test_the_chain_of_the_deck_file_guards_its_upstream(self):
        self.start_admin()
        # decK keeps this for itself.
        text = (FOLDER / "deck.yaml").read_text().replace(INFO, "")
        replaced = [
            ("http://orders.internal:8002", f"http://127.0.0.1:{self.upstream}"),
            ("gatehouse-admin.internal:8001", f"127.0.0.1:{self.admin}"),
            # There is no TLS on one machine.
            ("scheme: https", "scheme: http"),
        ]
        self.start_kong(text, replaced, settings_of_kong() | {"KONG_DATABASE": "off"})
        self.assert_guarded("/orders/1")


class Deck(unittest.TestCase):
    def test_the_file_names_what_decK_may_change_and_every_filter_takes_its_settings(self):
        self.assertIn(INFO, (FOLDER / "deck.yaml").read_text())
        command = ["dist/gatehouse-admin", "check-config", "--env", FOLDER / "deck.yaml"]
        environment = {"GATEHOUSE_TOKEN": GATEWAY}
        found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        self.assertIn("3 filters, 0 errors, 0 warnings", found.stdout)

    @unittest.skipUnless("GATEHOUSE_DECK_SCHEMA" in os.environ, "GATEHOUSE_DECK_SCHEMA names no schema of decK")
    def test_the_file_fits_the_schema_of_decK(self):
        schema = json.loads(Path(os.environ["GATEHOUSE_DECK_SCHEMA"]).read_text())
        [file] = documents(FOLDER / "deck.yaml")
        jsonschema.Draft7Validator(schema).validate(file)


class Values(unittest.TestCase):
    def test_the_settings_are_those_of_the_configuration_file(self):
        wanted, own = settings_of_kong(), {"KONG_DATABASE"}
        # These have one value more here, and fewer there.
        longer = {"KONG_LUA_SSL_TRUSTED_CERTIFICATE", "KONG_NGINX_MAIN_ENV"}
        for name in ENVIRONMENT.keys() - own - longer:
            self.assertEqual(ENVIRONMENT[name], wanted[name], name)
        self.assertEqual(list(VALUES["customEnv"]), [VALUES["env"]["nginx_main_env"].lower()])

    def test_the_init_container_brings_the_filters_of_the_archive(self):
        [container] = VALUES["deployment"]["initContainers"]
        [archive] = made.two_filters().glob("*-kong.tar.gz")
        sums = dict(
            reversed(line.split("  "))
            for line in (made.two_filters() / "SHA256SUMS").read_text().splitlines()
        )
        with tempfile.TemporaryDirectory() as folder:
            command = [*container["command"], container["args"][0].replace("/filters\n", f"{folder}\n", 1)]
            command[0] = shutil.which(command[0])
            given = {each["name"]: each["value"] for each in container["env"]}
            self.assertIn("-kong.tar.gz", given["ARCHIVE"])
            given |= {"ARCHIVE": archive.resolve().as_uri(), "PATH": os.environ["PATH"]}
            # Another archive than the one that was meant ends the pod's start.
            wrong = subprocess.run(command, env=given | {"SHA256": "0" * 64}, capture_output=True, check=False)
            self.assertNotEqual(wrong.returncode, 0)
            right = given | {"SHA256": sums[archive.name]}
            subprocess.run(command, env=right, check=True, stdout=subprocess.DEVNULL)
            with tarfile.open(archive) as opened:
                packed = {Path(name).name for name in opened.getnames() if "/filters/gatehouse_" in name}
            self.assertEqual(set(os.listdir(folder)), packed)

    def test_what_is_mounted_exists(self):
        deployment = VALUES["deployment"]
        volumes = {volume["name"] for volume in deployment["userDefinedVolumes"]}
        mounts = deployment["userDefinedVolumeMounts"]
        self.assertEqual({mount["name"] for mount in mounts}, volumes)
        self.assertIn(VALUES["env"]["wasm_filters_path"], {mount["mountPath"] for mount in mounts})

    def test_every_filter_takes_its_settings(self):
        command = ["dist/gatehouse-admin", "check-config", "--env", FOLDER / "kong.yml"]
        environment = {"GATEHOUSE_TOKEN": GATEWAY}
        found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        self.assertIn("3 filters, 0 errors, 0 warnings", found.stdout)


if __name__ == "__main__":
    unittest.main()
