"""The files for Envoy Gateway, on a real Envoy and with a real gatehouse-admin behind TLS."""

import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from package.tests.registry import free_port

from . import envoy_gateway
from .files import resource

sys.path.append("scripts")
from progress import Patience

ADMIN, GATEWAY = "an-admin-token-of-32-characters-x", "a-gateway-token-of-32-characters-"
NAME = "gatehouse-admin.gatehouse.svc"


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with the request's headers."""

    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def environment(container, token):
    """Returns the environment of the proxy's container, with `token` for what its secret holds."""
    return {each["name"]: each.get("value", token) for each in container["env"]}


class EnvoyGateway(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.start_admin()
        self.start_envoy()

    def start(self, command, **environment):
        """Starts a program that ends with the test."""
        log = (self.folder / f"{Path(command[0]).name}.log").open("w")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait(self, process, is_ready):
        """Waits until `is_ready` answers without an error."""
        patience = Patience([process.pid])
        while True:
            try:
                return is_ready()
            except OSError:
                logs = [path.read_text()[-2000:] for path in self.folder.glob("*.log")]
                assert process.poll() is None and not patience.is_over(), logs
                patience.pause()

    def start_admin(self):
        self.admin = free_port()
        self.cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
        command += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", self.cert]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        for name, token in [("admin", ADMIN), ("gateway", GATEWAY)]:
            (self.folder / name).write_text(token)
        process = self.start(
            ["dist/gatehouse-admin", "serve"],
            GATEHOUSE_LISTEN=f"127.0.0.1:{self.admin}",
            GATEHOUSE_DATABASE_URL=f"sqlite:{self.folder}/db",
            GATEHOUSE_ADMIN_TOKEN_FILE=str(self.folder / "admin"),
            GATEHOUSE_GATEWAY_TOKEN_FILE=str(self.folder / "gateway"),
            GATEHOUSE_TLS_CERT=str(self.cert),
            GATEHOUSE_TLS_KEY=str(key),
        )
        self.wait(process, lambda: self.ask_admin("GET", "/status"))
        self.ask_admin("POST", "/consumers", b"username=fiona")
        self.ask_admin("POST", "/consumers/fiona/key-auth", b"key=open-sesame")
        self.ask_admin("POST", "/consumers/fiona/appids", b"appid=Portal")

    def ask_admin(self, method, path, body=None):
        """Sends a request to gatehouse-admin."""
        trust = ssl.create_default_context(cafile=self.cert)
        trust.check_hostname = False
        headers = {"Authorization": f"Bearer {ADMIN}"}
        url = f"https://127.0.0.1:{self.admin}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, context=trust) as answer:
            return answer.read()

    def start_envoy(self):
        self.port = free_port()
        made = envoy_gateway.bootstrap(self.port, self.server.server_port)
        proxy = resource(envoy_gateway.FOLDER / "gateway.yaml", "EnvoyProxy")["spec"]["provider"]["kubernetes"]
        container = proxy["envoyDeployment"]["container"]
        [mount] = container["volumeMounts"]
        text = json.dumps(made)
        # Addresses and directories of this machine instead of the cluster's.
        for before, after in [
            (f"{mount['mountPath']}/ca.crt", str(self.cert)),
            (f'"{NAME}.cluster.local", "port_value": 8001', f'"127.0.0.1", "port_value": {self.admin}'),
        ]:
            self.assertIn(before, text)
            text = text.replace(before, after)
        config = self.folder / "envoy.json"
        config.write_text(text)
        program = os.environ.get("GATEHOUSE_ENVOY") or subprocess.run(
            ["scripts/envoy"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        command = [program, "--config-path", config, "--use-dynamic-base-id", "--concurrency", "1"]
        process = self.start(command, **environment(container, GATEWAY))
        self.wait(process, lambda: self.get("/health"))

    def get(self, path, **headers):
        """Returns the status and the body of an answer of the gateway."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # Python's own name is that of a bot.
        named = {"Host": "api.example.com", "User-Agent": "curl/8.0"} | named
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=named)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def test_the_filters_of_the_policy_guard_its_route_and_no_other(self):
        status, body = self.get("/orders/1", apikey="open-sesame", X_APP_ID="Portal")
        self.assertEqual((status, json.loads(body).get("x-consumer-username")), (200, "fiona"), body)
        self.assertNotIn("apikey", json.loads(body))
        self.assertEqual(self.get("/orders/1")[0], 401)
        self.assertEqual(self.get("/orders/1", apikey="another")[0], 401)
        self.assertEqual(self.get("/orders/1", apikey="open-sesame")[0], 403)
        self.assertEqual(self.get("/orders/1", User_Agent="GPTBot/1.2")[0], 403)
        # Three a minute; a new minute may begin in between.
        answers = [self.get("/orders/1", apikey="open-sesame", X_APP_ID="Portal")[0] for _ in range(7)]
        self.assertIn(429, answers)
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
