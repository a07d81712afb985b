"""A gateway on this machine: Envoy, gatehouse-admin and something behind them."""

import http.server
import json
import os
import re
import shutil
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

sys.path.append("scripts")
from progress import Patience

ADMIN, GATEWAY = "an-admin-token-of-32-characters-x", "a-gateway-token-of-32-characters-"
NAME = "gatehouse-admin.gatehouse.svc"
HOST = "api.example.com"
# Empty if there is none.
KONG = subprocess.run(["scripts/kong"], capture_output=True, text=True, check=False).stdout.strip()


def settings_of_kong():
    """Returns the settings of kong-config/kong.conf as variables of the environment."""
    text = Path("kong-config/kong.conf").read_text()
    lines = re.findall(r"^(\w+) = (.+)$", text, re.MULTILINE)
    return {f"KONG_{name.upper()}": value for name, value in lines}


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with the request's headers."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.do_GET()

    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Running(unittest.TestCase):
    """A test with something behind the gateway. The programs that it starts end with it."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.upstream = server.server_port

    def start(self, command, environment):
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

    def certificate(self):
        """Makes a certificate for NAME, and returns its file and that of its key."""
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        command += ["-keyout", key, "-out", cert]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return cert, key

    def start_admin(self, cert=None, key=None):
        """Starts gatehouse-admin with tokens, and makes a consumer with a key and an App ID."""
        self.admin, self.cert = free_port(), cert
        environment = {
            "GATEHOUSE_LISTEN": f"127.0.0.1:{self.admin}",
            "GATEHOUSE_DATABASE_URL": f"sqlite:{self.folder}/db",
        }
        for name, token in [("ADMIN", ADMIN), ("GATEWAY", GATEWAY)]:
            file = self.folder / f"{name}-token"
            file.write_text(token)
            environment[f"GATEHOUSE_{name}_TOKEN_FILE"] = str(file)
        if cert:
            environment |= {"GATEHOUSE_TLS_CERT": str(cert), "GATEHOUSE_TLS_KEY": str(key)}
        process = self.start(["dist/gatehouse-admin", "serve"], environment)
        self.wait(process, lambda: self.ask_admin("GET", "/status"))
        self.ask_admin("POST", "/consumers", b"username=fiona")
        self.ask_admin("POST", "/consumers/fiona/key-auth", b"key=open-sesame")
        self.ask_admin("POST", "/consumers/fiona/appids", b"appid=Portal")

    def ask_admin(self, method, path, body=None):
        """Sends a request to gatehouse-admin."""
        url, trust = f"http://127.0.0.1:{self.admin}{path}", None
        if self.cert:
            url, trust = url.replace("http:", "https:"), ssl.create_default_context(cafile=self.cert)
            trust.check_hostname = False
        headers = {"Authorization": f"Bearer {ADMIN}"}
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, context=trust) as answer:
            return answer.read()

    def start_envoy(self, text, replaced, environment, path="/"):
        """Starts an Envoy with the configuration `text` (YAML or JSON), and returns its process
        when it answers.

        `replaced` are pairs: addresses and files of the cluster, and those of this machine.
        """
        for before, after in replaced:
            self.assertIn(before, text)
            text = text.replace(before, after)
        config = self.folder / "envoy.yaml"
        config.write_text(text)
        program = os.environ.get("GATEHOUSE_ENVOY")
        if not program:
            found = subprocess.run(["scripts/envoy"], check=True, stdout=subprocess.PIPE, text=True)
            program = found.stdout.strip()
        command = [program, "--config-path", config, "--use-dynamic-base-id", "--concurrency", "1"]
        process = self.start(command, environment)
        self.wait(process, lambda: self.get(path))
        return process

    def start_kong(self, text, replaced, environment):
        """Starts a Kong with the declarative file `text`, the filters that it names and the
        variables of `environment`, and waits until it answers. `replaced` is as for Envoy.
        """
        for before, after in replaced:
            self.assertIn(before, text)
            text = text.replace(before, after)
        self.port = free_port()
        config, filters = self.folder / "kong.yml", self.folder / "filters"
        config.write_text(text)
        filters.mkdir()
        for name in re.findall(r"name: (gatehouse_\w+)", text):
            for ending in (".wasm", ".meta.json"):
                shutil.copy(f"dist/filters/{name}{ending}", filters)
        here = {
            "GATEHOUSE_TOKEN": GATEWAY,
            "KONG_PREFIX": str(self.folder / "kong"),
            "KONG_DECLARATIVE_CONFIG": str(config),
            "KONG_WASM_FILTERS_PATH": str(filters),
            "KONG_PROXY_LISTEN": f"127.0.0.1:{self.port}",
            "KONG_ADMIN_LISTEN": "off",
            # Images of Kong run it in the foreground too.
            "KONG_NGINX_DAEMON": "off",
            "KONG_NGINX_WORKER_PROCESSES": "1",
        }
        process = self.start([KONG, "start"], environment | here)
        # The command's end is not that of nginx.
        stop = [KONG, "stop", "--prefix", here["KONG_PREFIX"]]
        self.addCleanup(subprocess.run, stop, stdout=subprocess.DEVNULL, check=False)
        self.wait(process, lambda: self.get("/"))

    def get(self, path, body=None, **headers):
        """Returns the status and the body of an answer of the gateway. With `body`, a form is
        sent.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # Python's own name is that of a bot.
        named = {"Host": HOST, "User-Agent": "curl/8.0"} | named
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers=named)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def assert_guarded(self, path):
        """Checks that a path wants fiona's key and App ID, and serves her three times a minute."""
        known = {"apikey": "open-sesame", "X_APP_ID": "Portal"}
        status, body = self.get(path, **known)
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["x-consumer-username"], "fiona")
        # Kong cannot remove a header: the filter empties it.
        self.assertFalse(json.loads(body).get("apikey"), body)
        self.assertEqual(self.get(path)[0], 401)
        self.assertEqual(self.get(path, apikey="another")[0], 401)
        self.assertEqual(self.get(path, apikey="open-sesame")[0], 403)
        # A new minute may begin in between.
        self.assertIn(429, [self.get(path, **known)[0] for _ in range(7)])
