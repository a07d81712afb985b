"""The alerts and the dashboard, with programs that are really in trouble.

A Prometheus scrapes an Envoy with all filters and two gatehouse-admin, while this test causes what
each alert is for. In the test's copy of the files, Prometheus scrapes every second, ranges are ten
seconds, and no alert waits (`for: 0s`): `deploy/prometheus/alerts_test.yml` is about the times.
Run by scripts/test-alerts.
"""

import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from package.tests.registry import free_port

from .alerts_data import COUNTED_TOGETHER, LIMITS, OF_OTHER_GATEWAYS, RENAMED
from .running import GATEWAY, Running

DEPLOY = Path("deploy")
PROMETHEUS = DEPLOY / "prometheus"
# alerts_test.yml has this one: a crash of a VM cannot be caused from outside.
NOT_CAUSED = {"GatehouseFilterCrashed"}
OF_FAILURES = ("lookup_failures", "not_stored", "uncounted", "counted_here_instead")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with `server.answer`: a status and a body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers["content-length"] or 0))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Alerts(Running):
    def setUp(self):
        super().setUp()
        self.start_admin()
        self.main = next(p for p in self.processes if "gatehouse-admin" in str(p.args[0]))
        self.troubled = self.start_troubled_admin()
        self.collector = self.serve((201, ""))
        self.port, self.console = free_port(), free_port()
        key = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, text=True)
        environment = {
            "GATEHOUSE_TOKEN": GATEWAY,
            "GATEHOUSE_SESSION_SECRET": "a-secret-of-32-characters-at-least",
            "GATEHOUSE_UPSTREAM_KEY": key.stdout,
            "GATEHOUSE_MOESIF_APPLICATION_ID": "an-id",
        }
        self.start_envoy(self.configuration(), self.here(), environment, "/.well-known/gatehouse-jwks.json")
        self.prometheus = free_port()
        self.start_prometheus()
        self.seen, self.shown = set(), set()

    def start(self, command, environment):
        process = super().start(command, environment)
        self.processes = [*getattr(self, "processes", []), process]
        return process

    def serve(self, answer):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.answer = answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def start_troubled_admin(self):
        """Starts a second service, without gateways, whose Redis does not exist."""
        self.second = free_port()
        command = ["dist/gatehouse-admin", "serve", "--listen", f"127.0.0.1:{self.second}"]
        command += ["--database-url", f"sqlite:{self.folder}/troubled", "--max-connections", "20"]
        command += ["--max-connections-per-peer", "20", "--redis-url", f"redis://127.0.0.1:{free_port()}"]
        process = self.start(command, {})
        self.wait(process, lambda: self.ask_second("GET", "/status"))
        return process

    def configuration(self):
        """Returns envoy.yaml with a token, with limits that nodes count together, and with a filter
        whose cluster does not exist.
        """
        text = Path("envoy-config/envoy.yaml").read_text()
        begin, account = text.split("root_id: session/account\n")
        wrong = account.replace("upstream: gatehouse-admin\n", "upstream: nowhere\n", 1)
        self.assertNotEqual(wrong, account)
        text = f"{begin}root_id: session/account\n{wrong}"
        self.assertIn(LIMITS, text)
        start = text.index("          - name: gatehouse_rate_limiting")
        end = text.index("          # What the upstream gets.")
        shared = text[start:end].replace(LIMITS, COUNTED_TOGETHER % ("shared", "true"))
        strict = text[start:end].replace(LIMITS, COUNTED_TOGETHER % ("strict", "false"))
        strict = strict.replace("root_id: rate_limiting", "root_id: rate_limiting/strict")
        shared = shared.replace("root_id: rate_limiting", "root_id: rate_limiting/shared")
        # One unknown key at a time, so that a few clients are too many.
        key_auth = "                    match: { paths: [/orders] }\n"
        self.assertIn(key_auth, text)
        text = text[:end] + shared + strict + text[end:]
        text = text.replace(key_auth, key_auth + "                    cache: { max_lookups: 1 }\n")
        return re.sub(r"( *)authority: 127.0.0.1:8001\n", r"\1authority: 127.0.0.1:8001\n\1token_env: GATEHOUSE_TOKEN\n", text)

    def here(self):
        ports = {8000: self.port, 8001: self.admin, 8002: self.upstream, 8003: self.collector.server_port, 9901: self.console}
        there = [(f"port_value: {before} ", f"port_value: {after} ") for before, after in ports.items()]
        return [*there, ("filename: gatehouse.wasm", f"filename: {Path('dist/gatehouse.wasm').resolve()}")]

    def start_prometheus(self):
        """Starts a Prometheus with quick copies of the files."""
        for name in ("prometheus.yml", "alerts.yml"):
            text = (PROMETHEUS / name).read_text()
            text = re.sub(r"\[\d+m\]", "[10s]", text)
            text = re.sub(r"offset \d+m", "offset 10s", text)
            text = re.sub(r"for: \d+m", "for: 0s", text)
            text = text.replace("15s", "1s")
            text = text.replace("localhost:8001", f'127.0.0.1:{self.admin}", "127.0.0.1:{self.second}')
            text = text.replace("  # authorization: {", "  authorization: {")
            text = text.replace("/etc/prometheus/gatehouse-gateway-token", str(self.folder / "GATEWAY-token"))
            text = text.replace("localhost:9901", f"127.0.0.1:{self.console}")
            text = text.replace("localhost:8100", f"127.0.0.1:{self.serve((200, OF_OTHER_GATEWAYS)).server_port}")
            (self.folder / name).write_text(text)
        command = [shutil.which("prometheus"), f"--config.file={self.folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={self.folder}/data", "--log.level=warn"]
        command += [f"--web.listen-address=127.0.0.1:{self.prometheus}"]
        process = self.start(command, {})
        self.wait(process, lambda: self.ask_prometheus("query", query="1"))

    # === Questions ===

    def ask_prometheus(self, what, **parameters):
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            # It is an OSError, which would be tried again.
            if error.code == 400:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from error
            raise

    def value(self, query):
        """Returns the values of a query."""
        return [found["value"][1] for found in self.ask_prometheus("query", query=query)["result"]]

    def firing(self):
        alerts = self.ask_prometheus("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def ask_second(self, method, path, body=None):
        url = f"http://127.0.0.1:{self.second}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
            return answer.read()

    def until(self, is_true, told=lambda: ""):
        """Waits until `is_true` holds, as long as Prometheus has something to do. A failure shows
        what `told` returns.
        """

        def ready():
            if not is_true():
                raise OSError("not yet")

        try:
            self.wait(self.processes[-1], ready)
        except AssertionError as error:
            raise AssertionError(f"waited in vain: {told()}") from error

    def until_fires(self, *names, cause):
        """Causes something again and again, until these alerts fire."""
        missing = set(names)
        begun = time.monotonic()
        with self.again(cause):

            def fired():
                missing.difference_update(self.firing())
                return not missing

            self.until(fired, lambda: f"{missing} did not fire")
        self.seen.update(names)
        print(f"{', '.join(names)}: {time.monotonic() - begun:.0f} s", file=sys.stderr)

    @contextlib.contextmanager
    def again(self, cause, threads=1):
        """Calls `cause` again and again meanwhile; its failures are those of a gateway in trouble."""
        over = threading.Event()

        def work():
            while not over.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException, sqlite3.Error):
                    cause()
                over.wait(0.02)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            over.set()
            for worker in workers:
                worker.join()

    # === Causes ===

    def known(self, path="/orders/1", **headers):
        return self.get(path, apikey="open-sesame", X_APP_ID="Portal", **headers)[0]

    def strangers(self, guess=True):
        """Eight clients at once, with keys that nobody has or without one."""

        def ask(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                for _ in range(12):
                    key = {"apikey": os.urandom(8).hex()} if guess else {}
                    connection.request("GET", "/orders/1", headers={"User-Agent": f"client/{number}"} | key)
                    connection.getresponse().read()

        clients = [threading.Thread(target=ask, args=[number]) for number in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def wrong_token(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}/consumers", headers={"Authorization": "Bearer x"})
        urllib.request.urlopen(request)

    def another_epoch(self):
        with contextlib.closing(sqlite3.connect(self.folder / "db", timeout=10)) as database, database:
            database.execute("UPDATE ledger SET epoch = ?", [os.urandom(8).hex()])

    def a_lock(self):
        """Writes while another program holds the database's lock for a second."""
        with contextlib.closing(sqlite3.connect(self.folder / "troubled", timeout=10)) as database:
            database.execute("BEGIN IMMEDIATE")
            writer = threading.Thread(target=self.write_to_second)
            writer.start()
            writer.join(1)
            database.rollback()
            writer.join()

    def write_to_second(self):
        with contextlib.suppress(OSError):
            self.ask_second("POST", "/consumers", f"username={os.urandom(8).hex()}".encode())

    def many_connections(self):
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection(("127.0.0.1", self.second)))
            threading.Event().wait(0.2)

    # === The test ===

    def test_each_alert_fires_for_its_cause_and_each_panel_has_data(self):
        # Everything works, and no alert fires.
        cookie = {}

        def log_in():
            headers = {"Host": "api.example.com", "User-Agent": "curl/8.0", "apikey": "open-sesame", "X-App-ID": "Portal"}
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}/portal", headers=headers)
            with urllib.request.urlopen(request) as answer:
                cookie["Cookie"] = answer.headers["set-cookie"].split(";")[0]

        def customers():
            self.known(), self.known("/orders/shared"), self.known("/orders/strict")
            log_in()

        # A few of each, which is no burst of refusals.
        for _ in range(6):
            self.get("/orders/1", User_Agent="GPTBot/1.0")
            self.known("/orders/reports")
        with self.again(customers):
            self.until(lambda: self.value("sum(rate(gatehouse_passed[10s])) > 0") and cookie)
            self.until(lambda: self.value('gatehouse_bot_detection_matched{rule="ai_openai"}'))
            self.until(lambda: self.value("gatehouse_moesif_sent > 0"))
            # The second service and a filter are in trouble from the beginning, and a start forgets
            # once.
            from_the_beginning = {"GatehouseCountersAway", "GatehousePollsFail"}
            self.until(lambda: self.firing() <= from_the_beginning, self.firing)
            for name, value in RENAMED.items():
                name = name if "{" in name else name + "{}"
                query = name.replace("}", ',job="gatehouse-kong"}').replace("{,", "{")
                self.until(lambda query=query, value=value: self.value(query) == [value])
        self.until_fires(*from_the_beginning, cause=lambda: None)
        self.check_names()

        # One trouble after the other.
        self.until_fires("GatehouseLookupsRefused", "GatehouseFilterFails", cause=self.strangers)
        self.until_fires("GatehouseRefusals", cause=lambda: self.strangers(guess=False))
        self.until_fires("GatehouseWrongTokens", cause=self.wrong_token)
        self.until_fires("GatehouseNodeBehind", cause=lambda: (self.another_epoch(), self.known(), log_in()))
        self.until_fires("GatehouseAdminSlow", cause=self.a_lock)
        self.until_fires("GatehouseAdminTurnsAway", cause=self.many_connections)
        self.collector.answer = (400, "")
        self.until_fires("GatehouseEventsLost", cause=self.known)
        self.collector.answer = (503, "")
        self.until_fires("GatehouseEventsWait", cause=self.known)
        with contextlib.closing(sqlite3.connect(self.folder / "troubled")) as database, database:
            database.execute("ALTER TABLE ledger RENAME TO elsewhere")
        self.until_fires("GatehouseDatabaseAway", "GatehouseAdminFails", cause=self.write_to_second)
        self.check_panels(customers, OF_FAILURES)

        # The service is gone.
        self.main.kill()
        self.main.wait()
        gone = ["AdminDown", "ChangesDoNotArrive", "LookupsFail", "LimitsAreNotShared"]
        gone += ["LimitsAreNotCounted", "SessionsNotStored"]
        self.until_fires(
            *(f"Gatehouse{name}" for name in gone),
            cause=lambda: (self.known("/orders/shared"), self.known("/orders/strict"), self.strangers(), self.log_out(cookie)),
        )
        self.check_panels(lambda: None)
        envoy = next(process for process in self.processes if "envoy" in str(process.args[0]))
        envoy.kill()
        self.until_fires("GatehouseGatewayDown", cause=lambda: None)
        rules = self.ask_prometheus("rules")["groups"]
        alerts = {rule["name"]: rule for group in rules for rule in group["rules"]}
        self.assertEqual(self.seen, set(alerts) - NOT_CAUSED)
        self.assertEqual({name for name, rule in alerts.items() if rule["health"] != "ok"}, set())

    def log_out(self, cookie):
        """Logs in without a session, which is not stored."""
        headers = {"Host": "api.example.com", "User-Agent": "curl/8.0", "apikey": "open-sesame", "X-App-ID": "Portal"}
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/portal", headers=headers))

    def check_names(self):
        """Checks that docs/metrics.md has every metric that came."""
        query = 'count by (__name__) ({job=~"gatehouse-(envoy|admin)",__name__=~"gatehouse_.+"})'
        found = {each["metric"]["__name__"] for each in self.ask_prometheus("query", query=query)["result"]}
        self.assertGreater(len(found), 20)
        document = Path("docs/metrics.md").read_text()
        of_histogram = r"_(bucket|sum|count)$"
        url = f"http://127.0.0.1:{self.second}/metrics"
        with urllib.request.urlopen(url) as answer:
            lint = subprocess.run(["promtool", "check", "metrics"], input=answer.read(), capture_output=True, check=False)
        # It takes a counter of requests for the type of that name.
        complaints = [line for line in lint.stderr.decode().splitlines() if "type 'counter'" not in line]
        self.assertEqual(complaints, [])
        unknown = {name for name in found if f"`{re.sub(of_histogram, '', name)}`" not in document}
        self.assertEqual(unknown, set())

    def check_panels(self, traffic, without=()):
        """Checks that each query of the dashboard answers with data, but for those that name one of
        these metrics.
        """
        dashboard = json.loads((DEPLOY / "grafana/gatehouse.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 25)
        empty = {query for query in queries if not any(name in query for name in without)}
        empty -= self.shown
        with self.again(traffic):

            def all_answer():
                for query in list(empty):
                    # A panel of two hours would show what this one shows of two minutes.
                    if self.value(query.replace("$__rate_interval", "2m")):
                        empty.remove(query)
                        self.shown.add(query)
                return not empty

            self.until(all_answer, lambda: f"no data for {empty}")
        for annotation in dashboard["annotations"]["list"]:
            self.value(annotation["expr"])


if __name__ == "__main__":
    unittest.main()
