"""Secrets of gateways are replaced while clients send requests, by the steps of docs/runbook.md."""

import base64
import http.client
import json
import os
import signal
import subprocess
import threading
import unittest
import urllib.request
from contextlib import closing
from pathlib import Path

from package.tests.registry import free_port

from .alerts import Handler
from .running import GATEWAY, Running

NEW_TOKEN = "the-new-token-of-32-characters-xx"
KIND = "type.googleapis.com/envoy.extensions.filters"


class Rotation(Running):
    def setUp(self):
        super().setUp()
        self.start_admin()
        self.collector = self.serve_collector()
        self.port, self.console = free_port(), free_port()
        self.settings = {
            "token": GATEWAY,
            "session": {"secret": "the-old-secret-of-a-session"},
            "keys": [{"key_id": "old", "active": True, "private_key": self.key("old")}],
            "application": "the-old-application",
        }
        self.listeners = self.folder / "listeners.json"
        self.listeners.write_text(self.discovery())
        self.process = self.start_envoy(json.dumps(self.bootstrap()), [], {}, "/jwks")

    def serve_collector(self):
        """Starts a collector that keeps the application ids of what it gets."""
        ids = set()

        class Collector(Handler):
            def do_GET(self):
                if self.path.startswith("/v1/events"):
                    ids.add(self.headers["x-moesif-application-id"])
                super().do_GET()

            do_POST = do_GET

        server = self.serve((201, ""), Collector)
        server.ids = ids
        return server

    def serve(self, answer, handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.answer = answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def key(self, name, public=False):
        """Returns the private or the public key of a name, as PEM."""
        file = self.folder / f"{name}.pem"
        if not file.exists():
            subprocess.run(["openssl", "genrsa", "-out", file, "2048"], check=True, stderr=subprocess.DEVNULL)
        if not public:
            return file.read_text()
        command = ["openssl", "rsa", "-in", file, "-pubout"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    # === The gateway ===

    def bootstrap(self):
        def cluster(name, port):
            address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
            endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
            load = {"cluster_name": name, "endpoints": endpoints}
            return {"name": name, "type": "STATIC", "connect_timeout": "60s", "load_assignment": load}

        ports = {"upstream": self.upstream, "admin": self.admin, "moesif_api": self.collector.server_port}
        return {
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.console}}},
            "static_resources": {"clusters": [cluster(name, port) for name, port in ports.items()]},
            "dynamic_resources": {"lds_config": {"path_config_source": {"path": str(self.listeners)}}},
        }

    def discovery(self):
        """Returns the listener with the secrets of now."""
        admin = {
            "upstream": "admin",
            "authority": f"127.0.0.1:{self.admin}",
            "token": self.settings["token"],
            "timeout": 60000,
            "poll_interval": 1,
        }
        collector = {"upstream": "moesif_api", "authority": "collector"}
        portal = {"paths": ["/portal"]}
        visitor = {"anonymous": "visitor", "consumers": [{"username": "visitor"}]}
        filters = {
            "moesif": {"application_id": self.settings["application"], "collector": collector, "batch_max_wait": 100},
            "session": {"match": portal, "admin": admin, **self.settings["session"]},
            "key_auth": {"match": {"paths": ["/orders"]}, "admin": admin},
            # Who has neither a session nor a key is a visitor, and is refused.
            "key_auth/portal": {"match": portal, "admin": admin, **visitor},
            "request_termination": {"match": portal | {"consumers": ["visitor"]}, "status_code": 401},
            "upstream_jwt": {"issuer": "gateway", "jwks_path": "/jwks", "private_keys": self.settings["keys"]},
        }

        def text(value):
            return {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value}

        def one(name, settings):
            vm = {
                "vm_id": "gatehouse",
                "runtime": "envoy.wasm.runtime.v8",
                "configuration": text('{"host":"envoy"}'),
                "code": {"local": {"filename": str(Path("dist/gatehouse.wasm").resolve())}},
            }
            config = {"name": name, "root_id": name, "failure_policy": "FAIL_RELOAD"}
            config |= {"configuration": text(json.dumps(settings)), "vm_config": vm}
            return {"name": name, "typed_config": {"@type": f"{KIND}.http.wasm.v3.Wasm", "config": config}}

        chain = [one(name, settings) for name, settings in filters.items()]
        chain.append({"name": "router", "typed_config": {"@type": f"{KIND}.http.router.v3.Router"}})
        route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
        manager = {
            "@type": f"{KIND}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gateway",
            "http_filters": chain,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        }
        listener = {
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "gateway",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": self.port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
        return json.dumps({"version_info": os.urandom(4).hex(), "resources": [listener]})

    def reload(self):
        """Puts a listener with the secrets of now in place, and waits until Envoy has taken it."""
        before = self.stat("listener_manager.lds.update_success")
        new = self.listeners.with_suffix(".new")
        new.write_text(self.discovery())
        new.rename(self.listeners)
        self.until(lambda: self.stat("listener_manager.lds.update_success") > before)
        self.assertEqual(self.stat("listener_manager.lds.update_rejected"), 0)

    def stat(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.console}/stats?filter=^{name}$") as answer:
            return int(answer.read().decode().split(":")[1])

    def until(self, is_true):
        def ready():
            if not is_true():
                raise OSError("not yet")

        self.wait(self.process, ready)

    # === Clients ===

    def load(self):
        """Sends requests from three clients until `self.over`: with a key, with the cookie of a
        session, and as an upstream that asks for the key set. `self.refused` gets what is wrong.
        """
        self.over, self.refused, self.answered = threading.Event(), [], 0
        self.known = self.fetch_keys()

        def customer(path, headers, see):
            while not self.over.is_set():
                with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
                    connection.request("GET", path, headers={"User-Agent": "curl/8.0", "Connection": "close"} | headers)
                    answer = connection.getresponse()
                    body = answer.read()
                if answer.status != 200:
                    self.refused.append((path, answer.status, body))
                    return
                see(answer, body)
                self.answered += 1

        def guarded(*arguments):
            try:
                customer(*arguments)
            except Exception as error:
                self.refused.append((arguments[0], error))
                raise

        browser = {"Cookie": self.log_in()}

        def keep_cookie(answer, body):
            self.check_token(body)
            if answer.headers["set-cookie"]:
                browser["Cookie"] = answer.headers["set-cookie"].split(";")[0]

        key = {"apikey": "open-sesame"}
        clients = [("/orders", key, lambda _, body: self.check_token(body)), ("/portal", browser, keep_cookie)]
        # What a browser sends changes: it is the dictionary itself that the client reads.
        self.clients = [threading.Thread(target=guarded, args=client, daemon=True) for client in clients * 2]
        for client in self.clients:
            client.start()
        self.addCleanup(self.over.set)

    def log_in(self):
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", "/portal", headers={"User-Agent": "curl/8.0", "apikey": "open-sesame"})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200, answer.read())
            return answer.headers["set-cookie"].split(";")[0]

    def fetch_keys(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/jwks") as answer:
            return {key["kid"] for key in json.load(answer)["keys"]}

    def check_token(self, body):
        """As an upstream: the token's key has to be one of those that were fetched before."""
        [token] = [value for value in json.loads(body).values() if value.removeprefix("Bearer ").startswith("eyJ")]
        head = token.removeprefix("Bearer ").split(".")[0]
        self.kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        if self.kid not in self.known:
            self.refused.append(("the upstream does not know the key", self.kid, self.known))

    def some_requests(self):
        """Waits until each client was served by what is configured now."""
        before = self.answered
        self.until(lambda: self.answered > before + 20 or self.refused)
        self.assertEqual(self.refused, [])

    # === The rotations ===

    def test_nobody_is_refused_while_secrets_are_replaced(self):
        self.load()
        self.some_requests()
        with self.subTest("the gateways' token"):
            file = self.folder / "GATEWAY-token"
            self.assertEqual(self.allowed(NEW_TOKEN), 401)
            self.put(file, f"{NEW_TOKEN}\n{GATEWAY}\n")
            self.until(lambda: self.allowed(NEW_TOKEN) == 200)
            self.settings["token"] = NEW_TOKEN
            self.reload()
            self.some_requests()
            self.put(file, NEW_TOKEN)
            self.until(lambda: self.allowed(GATEWAY) == 401)
            self.some_requests()
        with self.subTest("the secret of sessions"):
            old, new = "the-old-secret-of-a-session", "the-new-secret-of-a-session"
            for secret, fallbacks in [(old, [new]), (new, [old]), (new, [])]:
                self.settings["session"] = {"secret": secret, "secret_fallbacks": fallbacks}
                self.reload()
                self.some_requests()
        with self.subTest("the key that signs"):
            old = {"key_id": "old", "public_key": self.key("old", public=True)}
            new = {"key_id": "new", "public_key": self.key("new", public=True)}
            signs_old = old | {"active": True, "private_key": self.key("old")}
            signs_new = new | {"active": True, "private_key": self.key("new")}
            for keys in [[signs_old, new], [old, signs_new], [signs_new]]:
                self.settings["keys"] = keys
                self.reload()
                self.until(lambda keys=keys: self.fetch_keys() == {key["key_id"] for key in keys})
                self.known = self.known | self.fetch_keys()
                self.some_requests()
            self.assertEqual(self.kid, "new")
        with self.subTest("Moesif's application id"):
            self.settings["application"] = "the-new-application"
            self.reload()
            self.until(lambda: "the-new-application" in self.collector.ids)
            self.some_requests()
            self.assertEqual(self.collector.ids, {"the-old-application", "the-new-application"})
        self.over.set()
        for client in self.clients:
            client.join()
        self.assertEqual(self.refused, [])

    def put(self, file, text):
        new = file.with_suffix(".new")
        new.write_text(text)
        new.rename(file)
        self.admin_process.send_signal(signal.SIGHUP)

    def allowed(self, token):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}/status", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            return answer.code

    def start(self, command, environment):
        process = super().start(command, environment)
        if "gatehouse-admin" in str(command[0]):
            self.admin_process = process
        return process


if __name__ == "__main__":
    unittest.main()
