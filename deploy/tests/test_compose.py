"""The files for Docker Compose. Compose itself does not run in the tests."""

import re
import subprocess
import unittest

from package.tests.registry import free_port

from .files import DEPLOY, documents
from .running import GATEWAY, KONG, Running, settings_of_kong

FOLDER = DEPLOY / "compose"
[COMPOSE] = documents(FOLDER / "compose.yaml")
# What the shell and `.env` give.
GIVEN = {"ADMIN_TOKEN", "GATEWAY_TOKEN", "ENCRYPTION_KEY", "POSTGRES_PASSWORD"}


class Envoy(Running):
    def test_the_envoy_of_the_file_guards_its_upstream(self):
        self.start_admin()
        self.port = free_port()
        replaced = [
            ("address: 0.0.0.0, port_value: 8000", f"address: 127.0.0.1, port_value: {self.port}"),
            ("address: echo, port_value: 8002", f"address: 127.0.0.1, port_value: {self.upstream}"),
            ("address: gatehouse-admin, port_value: 8001", f"address: 127.0.0.1, port_value: {self.admin}"),
            ("/etc/gatehouse/gatehouse.wasm", "dist/gatehouse.wasm"),
        ]
        given = COMPOSE["services"]["envoy"]["environment"]
        self.assertEqual(given, {"GATEHOUSE_TOKEN": "${GATEWAY_TOKEN:?}"})
        text = (FOLDER / "envoy.yaml").read_text()
        self.start_envoy(text, replaced, {"GATEHOUSE_TOKEN": GATEWAY})
        self.assert_guarded("/orders/1")


@unittest.skipUnless(KONG, "there is no Kong 3.9 (README.md, Versions)")
class Kong(Running):
    def test_the_kong_of_the_file_guards_its_upstream(self):
        self.start_admin()
        replaced = [
            ("http://echo:8002", f"http://127.0.0.1:{self.upstream}"),
            ("gatehouse-admin:8001", f"127.0.0.1:{self.admin}"),
        ]
        given = COMPOSE["services"]["kong"]["environment"].items()
        environment = {name: value.replace("$$", "$") for name, value in given}
        self.start_kong((FOLDER / "kong.yml").read_text(), replaced, environment)
        self.assert_guarded("/orders/1")


class Compose(unittest.TestCase):
    def test_the_settings_of_kong_are_those_of_its_configuration_file(self):
        given, wanted = COMPOSE["services"]["kong"]["environment"], settings_of_kong()
        for name, value in given.items():
            if name in wanted and name != "KONG_NGINX_MAIN_ENV":
                self.assertEqual(value.replace("$$", "$"), wanted[name], name)
        self.assertLessEqual({"KONG_WASM", "KONG_NGINX_PROXY_SET"}, given.keys() & wanted.keys())
        # The chain needs one variable of the environment.
        self.assertTrue(wanted["KONG_NGINX_MAIN_ENV"].startswith(given["KONG_NGINX_MAIN_ENV"]))

    def test_every_filter_takes_its_settings(self):
        for name in ("kong.yml", "envoy.yaml"):
            command = ["dist/gatehouse-admin", "check-config", "--env", FOLDER / name]
            environment = {"GATEHOUSE_TOKEN": GATEWAY}
            found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            self.assertIn("3 filters, 0 errors, 0 warnings", found.stdout)

    def test_what_a_service_names_exists(self):
        services, secrets = COMPOSE["services"], COMPOSE["secrets"]
        text = (FOLDER / "compose.yaml").read_text()
        given = re.findall(r"\$\{(\w+):\?\}|\{ environment: (\w+) \}", text)
        self.assertEqual({either or other for either, other in given}, GIVEN)
        for name, service in services.items():
            for other, state in service.get("depends_on", {}).items():
                self.assertEqual(state, {"condition": "service_healthy"}, name)
                self.assertIn("healthcheck", services[other], name)
            self.assertLessEqual(set(service.get("secrets", [])), secrets.keys())
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                # What has to be built is there after `make build`, or comes from an archive.
                if source.startswith(".") and "-kong/" not in source:
                    self.assertTrue((FOLDER / source).exists(), source)

    def test_the_service_gets_no_variable_that_it_does_not_know(self):
        command = ["dist/gatehouse-admin", "serve", "--help"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        service = COMPOSE["services"]["gatehouse-admin"]
        for name, value in service["environment"].items():
            self.assertIn(f"[env: {name}", told)
            if value.startswith("/run/secrets/"):
                self.assertIn(value.rsplit("/", 1)[1], service["secrets"])


if __name__ == "__main__":
    unittest.main()
