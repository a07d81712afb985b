"""The files for an Envoy whose configuration changes while it runs."""

import os
import re
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from package.tests.registry import free_port

from .files import DEPLOY
from .running import GATEWAY, Running

FOLDER = DEPLOY / "envoy"
LIMIT = """\
        - name: gatehouse_rate_limiting
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
            config:
              name: gatehouse_rate_limiting
              root_id: rate_limiting
              failure_policy: FAIL_RELOAD
              vm_config: *vm
              configuration:
                "@type": type.googleapis.com/google.protobuf.Struct
                value: { limit_by: consumer, hour: %s }
"""


class Envoy(Running):
    def setUp(self):
        super().setUp()
        cert, key = self.certificate()
        self.start_admin(cert, key)
        self.port, self.console = free_port(), free_port()
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        (self.etc / "ca.crt").write_bytes(cert.read_bytes())
        self.here = [
            ("address: 0.0.0.0, port_value: 8000", f"address: 127.0.0.1, port_value: {self.port}"),
            ("port_value: 9901", f"port_value: {self.console}"),
            ("address: orders.internal, port_value: 8002", f"address: 127.0.0.1, port_value: {self.upstream}"),
            ("address: gatehouse-admin.internal, port_value: 8001", f"address: 127.0.0.1, port_value: {self.admin}"),
            ("/etc/envoy/gatehouse.wasm", str(Path("dist/gatehouse.wasm").resolve())),
            ("/etc/envoy", str(self.etc)),
        ]
        for name in ("lds.yaml", "cds.yaml", "sds.yaml"):
            self.put(name, (FOLDER / name).read_text())
        bootstrap = self.moved((FOLDER / "bootstrap.yaml").read_text())
        self.process = self.start_envoy(bootstrap, [], {"GATEHOUSE_TOKEN": GATEWAY}, "/health")

    def moved(self, text):
        """Returns `text` with the addresses and directories of this test."""
        for before, after in self.here:
            text = text.replace(before, after)
        return text

    def put(self, name, text):
        """Puts a file in place as the documents say: written beside it, and renamed."""
        new = self.etc / f"{name}.new"
        new.write_text(self.moved(text))
        os.rename(new, self.etc / name)

    def until(self, is_true):
        """Waits until `is_true` holds."""

        def ready():
            if not is_true():
                raise OSError("not yet")

        self.wait(self.process, ready)

    def stat(self, name):
        """Returns a counter of Envoy."""
        url = f"http://127.0.0.1:{self.console}/stats?filter=^{urllib.parse.quote(re.escape(name))}$"
        with urllib.request.urlopen(url) as answer:
            return int(answer.read().decode().split(":")[1])

    def test_routes_switch_filters_on_and_off_and_a_new_listener_takes_the_place_of_the_old(self):
        known = {"apikey": "open-sesame"}
        self.assertEqual(self.get("/orders/1", **known)[0], 200)
        self.assertEqual(self.get("/orders/1")[0], 401)
        self.assertEqual(self.get("/health")[0], 200)
        self.assertEqual(self.get("/retired/1")[0], 410)

        # A filter that refuses its settings leaves the old listener in place.
        text = (FOLDER / "lds.yaml").read_text()
        router = "        - name: envoy.filters.http.router\n"
        self.assertIn(router, text)
        rejected = "listener_manager.lds.update_rejected"
        self.assertEqual(self.stat(rejected), 0)
        self.put("lds.yaml", text.replace(router, LIMIT % "nonsense" + router))
        self.until(lambda: self.stat(rejected) > 0)
        self.assertEqual([self.get("/orders/1", **known)[0] for _ in range(3)], [200] * 3)

        self.put("lds.yaml", text.replace(router, LIMIT % 2 + router))
        self.until(lambda: self.get("/orders/1", **known)[0] == 429)
        self.assertEqual(self.get("/orders/1")[0], 401)


if __name__ == "__main__":
    unittest.main()
