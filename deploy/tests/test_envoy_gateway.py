"""The files for Envoy Gateway, on a real Envoy and with a real gatehouse-admin behind TLS."""

import json
import unittest

from package.tests.registry import free_port

from . import envoy_gateway
from .files import resource
from .running import GATEWAY, NAME, Running


class EnvoyGateway(Running):
    def setUp(self):
        super().setUp()
        self.start_admin(*self.certificate())
        self.port = free_port()
        made = envoy_gateway.bootstrap(self.port, self.upstream)
        proxy = resource(envoy_gateway.FOLDER / "gateway.yaml", "EnvoyProxy")["spec"]
        container = proxy["provider"]["kubernetes"]["envoyDeployment"]["container"]
        [mount] = container["volumeMounts"]
        before = f'"{NAME}.cluster.local", "port_value": 8001'
        replaced = [
            (f"{mount['mountPath']}/ca.crt", str(self.cert)),
            (before, f'"127.0.0.1", "port_value": {self.admin}'),
        ]
        # The token is a secret.
        environment = {each["name"]: each.get("value", GATEWAY) for each in container["env"]}
        self.start_envoy(json.dumps(made), replaced, environment, "/health")

    def test_the_filters_of_the_policy_guard_its_route_and_no_other(self):
        self.assert_guarded("/orders/1")
        self.assertEqual(self.get("/orders/1", User_Agent="GPTBot/1.2")[0], 403)
        status, body = self.get("/health")
        self.assertEqual((status, "x-consumer-username" in body), (200, False))


class Patch(unittest.TestCase):
    def test_the_patch_reaches_every_filter(self):
        [chain] = envoy_gateway.listener(1)["default_filter_chain"]["filters"]
        *guards, router = chain["typed_config"]["http_filters"]
        self.assertEqual(router["name"], "envoy.filters.http.router")
        for each in guards:
            config = each["typed_config"]["config"]
            self.assertEqual(config["failure_policy"], "FAIL_RELOAD")
            self.assertIs(config["allow_on_headers_stop_iteration"], True)


if __name__ == "__main__":
    unittest.main()
