"""The files for Istio, on a real Envoy and with a real gatehouse-admin behind TLS."""

import json
import unittest
from pathlib import Path

from package.tests.registry import free_port

from . import istio
from .files import DEPLOY
from .running import GATEWAY, Running

ENVIRONMENT = {
    "GATEHOUSE_TOKEN": GATEWAY,
    "GATEHOUSE_SESSION_SECRET": "a-secret",
    "GATEHOUSE_UPSTREAM_KEY": Path("filters/upstream-jwt/test-keys/rsa.pem").read_text(),
    "GATEHOUSE_MOESIF_APPLICATION_ID": "an-id",
}
KEY = {"apikey": "open-sesame"}
EVERY = {"match": {"prefix": "/"}, "route": {"cluster": "orders"}}


class Istio(Running):
    def begin(self, filters, path, routes=(EVERY,)):
        """Starts gatehouse-admin and an Envoy with these filters, and waits for an answer at
        `path`.
        """
        cert, key = self.certificate()
        self.start_admin(cert, key)
        self.port = free_port()
        clusters = [
            istio.plain("orders", self.upstream),
            istio.cluster(istio.ADMIN, 8001, {"port": self.admin, "ca": str(cert)}),
            # Nobody listens there: requests matter more than being told about them.
            istio.cluster("api.moesif.net", 443, {"port": free_port(), "ca": str(cert)}),
        ]
        made = istio.bootstrap(self.port, filters, clusters, list(routes))
        self.start_envoy(json.dumps(made), [], ENVIRONMENT, path)

    def test_the_plugins_of_an_ingress_gateway_guard_it(self):
        self.begin(istio.plugins("envoy-config/istio-wasmplugin.yaml"), "/retired")
        self.assert_guarded("/orders/reports")
        self.assertEqual(self.get("/retired")[0], 410)
        self.assertEqual(self.get("/partners")[0], 401)
        self.assertEqual(self.get("/portal")[0], 403)
        status, body = self.get("/orders/1", X_APP_ID="Portal", X_Debug="1", **KEY)
        told = json.loads(body)
        self.assertEqual((status, told["x-caller"], "x-debug" in told), (200, "fiona", False))
        self.assertTrue(any(value.startswith("Bearer ey") for value in told.values()), told)

    def test_the_plugin_of_a_waypoint_guards_it(self):
        self.begin(istio.plugins(DEPLOY / "istio/waypoint.yaml"), "/")
        self.assertEqual((self.get("/")[0], self.get("/", **KEY)[0]), (401, 200))

    def test_a_filter_of_an_envoyfilter_reads_bodies_and_is_off_for_one_route(self):
        name, change = istio.per_route(DEPLOY / "istio/per-route.yaml")
        public = {"name": name, "match": {"prefix": "/public"}, "route": {"cluster": "orders"}} | change
        filters = [istio.inserted("envoy-config/istio-envoyfilter.yaml")]
        self.begin(filters, "/public", [public, EVERY])
        self.assertEqual(self.get("/public")[0], 200)
        self.assertEqual(self.get("/orders/1")[0], 401)
        self.assertEqual(self.get("/orders/1", body=b"apikey=open-sesame")[0], 200)
        self.assertEqual(self.get("/orders/1", body=b"apikey=another")[0], 401)


if __name__ == "__main__":
    unittest.main()
