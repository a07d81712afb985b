"""The tour of `make demo`: the curl lines of the requirement documents, and what must come back."""

import base64
import hashlib
import hmac
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

from progress import Patience


@dataclass
class Step:
    """One command. `{name}` in it stands for what an earlier step has saved."""

    says: str
    command: str
    status: int
    # Members that the JSON answer must have; a nested object is compared in the same way.
    body: dict = field(default_factory=dict)
    # Claims that the token which reached the upstream must have; it is shown decoded.
    claims: dict = field(default_factory=dict)
    # name -> member of the JSON answer
    saves: dict = field(default_factory=dict)
    # Asked again until it is so: what was changed elsewhere arrives after `poll_interval`, which is 2 seconds in
    # envoy.yaml, and on a busy machine when it can.
    soon: bool = False


TOUR = [
    Step(
        "An operator registers a consumer,",
        'curl -X POST {admin}/consumers --data "username=arghyam"',
        201, {"username": "arghyam"}, saves={"consumer": "id"}),
    Step(
        "gives it an API key (this answer is the only one that ever shows it),",
        "curl -X POST {admin}/consumers/arghyam/key-auth",
        201, saves={"key": "key"}),
    Step(
        "and associates an App ID with it.",
        'curl -X POST {admin}/consumers/arghyam/appids --data "appid=arghyam.mobile_app"',
        201, {"appid": "arghyam.mobile_app"}),
    Step(
        "Without a key, the gateway refuses.",
        "curl {gateway}/orders/1",
        401, {"message": "No API key found in request"}),
    Step(
        "With a wrong one, too.",
        'curl {gateway}/orders/1 -H "apikey: wrong"',
        401, {"message": "Unauthorized"}),
    Step(
        "With the key, but without an App ID:",
        'curl {gateway}/orders/1 -H "apikey: {key}"',
        403, {"message": "X-APP-ID can't be blank"}),
    Step(
        "With an App ID of somebody else:",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: shikshalokam.portal"',
        403, {"message": "Invalid X-APP-ID"}),
    Step(
        "With its own, the request reaches the upstream, which is told who is calling and not the key.",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        200, {"upstream": "orders", "path": "/orders/1", "headers": {
            "x-consumer-username": "arghyam", "x-consumer-id": "{consumer}", "x-app-id": "arghyam.mobile_app",
            "apikey": None}}),
    Step(
        "The upstream also gets a token that the gateway has signed: who calls, and hashes of body and query.",
        'curl "{gateway}/orders?msg=hello%20world&bla=&bar" -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"'
        ' --data hello',
        200, {"body": "hello"}, claims={"aud": "orders", "iss": "gatehouse", "kong": {
            "consumer": {"username": "arghyam", "id": "{consumer}"},
            "request": {
                "bodyhash": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
                "queryhash": "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04"}}}),
    Step(
        "A client cannot say itself who it is.",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app" -H "X-Consumer-Username: root"',
        200, {"headers": {"x-consumer-username": "arghyam"}}),
    Step(
        "A partner's application comes with a token instead: its consumer gets a credential for tokens.",
        'curl -X POST {admin}/consumers/arghyam/jwt --data "key=adokey" --data "secret=supersecret"',
        201, {"key": "adokey", "algorithm": "HS256"}),
    Step(
        "Below /partners nobody gets in without a token,",
        'curl {gateway}/partners/1 -H "X-APP-ID: arghyam.mobile_app"',
        401, {"message": "Unauthorized"}),
    Step(
        "and a token signed with that secret tells who is calling.",
        'curl {gateway}/partners/1 -H "X-APP-ID: arghyam.mobile_app" -H "Authorization: Bearer {token}"',
        200, {"path": "/partners/1", "headers": {"x-consumer-username": "arghyam"}}),
    Step(
        "A browser is another matter. Below /portal, who has neither key nor session is turned away;",
        "curl {gateway}/portal",
        403, {"message": "So long and thanks for all the fish!"}),
    Step(
        "but who logs in with a key gets a session with the answer,",
        'curl {gateway}/portal -c {jar} -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        200, {"headers": {"x-consumer-username": "arghyam"}}),
    Step(
        "and from then on the cookie alone tells who it is. The upstream sees nothing of it.",
        'curl {gateway}/portal/1 -b {jar} -H "X-APP-ID: arghyam.mobile_app"',
        200, {"headers": {"x-consumer-username": "arghyam", "x-consumer-id": "{consumer}", "cookie": None}}),
    Step(
        "A logout ends the session: in the browser,",
        'curl -X POST "{gateway}/portal?session_logout" -b {jar} -c {jar}.after',
        200),
    Step(
        "and at the admin service, so that a copy of the cookie is worth nothing.",
        'curl {gateway}/portal/1 -b {jar} -H "X-APP-ID: arghyam.mobile_app"',
        403, {"message": "So long and thanks for all the fish!"}, soon=True),
    Step(
        "Below /account the cookie itself holds the session. The login,",
        'curl {gateway}/account -c {jar} -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        200, {"headers": {"x-consumer-username": "arghyam"}}),
    Step(
        "the cookie alone,",
        'curl {gateway}/account/1 -b {jar} -H "X-APP-ID: arghyam.mobile_app"',
        200, {"headers": {"x-consumer-username": "arghyam", "cookie": None}}),
    Step(
        "the logout,",
        'curl -X POST "{gateway}/account?session_logout" -b {jar} -c {jar}.after',
        200),
    Step(
        "and a copy of the cookie is worth nothing here either: the login is revoked.",
        'curl {gateway}/account/1 -b {jar} -H "X-APP-ID: arghyam.mobile_app"',
        403, {"message": "So long and thanks for all the fish!"}, soon=True),
    Step(
        "Requests change on their way: a debugging header goes, the caller's name comes.",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app" -H "X-Debug: 1"',
        200, {"headers": {"x-caller": "arghyam", "x-debug": None}}),
    Step(
        "Reports are limited to three a minute for each consumer: whoever asks for more is told to wait.",
        'curl {gateway}/orders/reports -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        429, {"message": "API rate limit exceeded"}, soon=True),
    Step(
        "Every request is an event for Moesif (here, a collector of the demo's own): who called, what and how it went.",
        "curl {collector}/users/arghyam",
        200, {"user_id": "arghyam", "request": {"verb": "GET", "headers": {"apikey": None}},
              "metadata": {"envoy": {"cluster_name": "orders"}}, "weight": 1}, soon=True),
    Step(
        "A bot is turned away, whatever it asks for,",
        'curl {gateway}/orders/1 -A "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"',
        403, {"message": "Forbidden"}),
    Step(
        "What is no longer served is answered by the gateway, with the operator's words.",
        "curl {gateway}/retired/1",
        410, {"message": "This API is retired. Use /orders."}),
    Step(
        "Which App IDs does the consumer have?",
        "curl -X GET {admin}/consumers/arghyam/appids",
        200, {"total": 1}),
    Step(
        "The operator deletes it,",
        "curl -X DELETE {admin}/consumers/arghyam/appids/arghyam.mobile_app",
        204),
    Step(
        "and within the poll interval the same request is refused.",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        403, {"message": "Consumer and X-APP-ID mapping doesn't exist"}, soon=True),
    Step(
        "It is created once more,",
        'curl -X POST {admin}/consumers/arghyam/appids --data "appid=arghyam.mobile_app"',
        201, {"appid": "arghyam.mobile_app"}),
    Step(
        "and the request is let through again.",
        'curl {gateway}/orders/1 -H "apikey: {key}" -H "X-APP-ID: arghyam.mobile_app"',
        200, {"upstream": "orders"}, soon=True),
]


def decoded(answer):
    """Header and claims of the token in what reached the upstream."""
    try:
        token = answer["headers"]["authorization"].removeprefix("Bearer ")
        return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]
    except (KeyError, TypeError, ValueError):
        return [{}, {}]


def signed(claims, secret):
    """A token as an application makes it (HS256)."""
    parts = [{"typ": "JWT", "alg": "HS256"}, claims]
    text = ".".join(segment(json.dumps(part).encode()) for part in parts)
    return text + "." + segment(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def segment(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Tour:
    """Takes the steps one by one, prints commands and answers, and counts what differed."""

    def __init__(self, processes, **ports):
        self.processes = processes
        self.known = {name: f"http://localhost:{port}" for name, port in ports.items()}
        self.known["token"] = signed({"iss": "adokey", "exp": int(time.time()) + 3600}, "supersecret")
        self.colour = sys.stdout.isatty()
        # Where curl keeps its cookies.
        self.scratch = tempfile.TemporaryDirectory(prefix="gatehouse-tour-")
        self.known["jar"] = f"{self.scratch.name}/cookies"

    def take(self, steps):
        differed = 0
        for step in steps:
            command = self.fill(step.command)
            print(f"\n{self.paint(1, step.says)}\n{self.paint(36, '$ ' + command)}", flush=True)
            started = time.monotonic()
            status, body, problems = self.try_once(step, command)
            patience = Patience(self.processes)
            while problems and step.soon and not patience.is_over():
                patience.pause()
                status, body, problems = self.try_once(step, command)
            after = f"   (after {time.monotonic() - started:.1f} s)" if step.soon else ""
            print(f"{self.paint(32 if not problems else 31, str(status))} {body}{after}")
            for problem in problems:
                print(self.paint(31, f"  DIFFERS: {problem}"))
            if problems:
                differed += 1
        verdict = f"{differed} of {len(steps)} steps differed" if differed else f"All {len(steps)} steps went as told."
        print(f"\n{self.paint(31 if differed else 32, verdict)}", flush=True)
        return differed

    def fill(self, text):
        for name, value in self.known.items():
            text = text.replace("{" + name + "}", value)
        return text

    def try_once(self, step, command):
        # What the reader sees is what runs, but for the options that make the answer readable here.
        curl = shlex.split(command) + ["-sS", "--max-time", "300", "-w", "\n%{http_code}"]
        run = subprocess.run(curl, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if run.returncode:
            return "---", run.stderr.strip(), [f"curl ended with status {run.returncode}"]
        body, _, status = run.stdout.rpartition("\n")
        try:
            answer = json.loads(body) if body else {}
        except ValueError:
            answer = {}
        problems = [] if int(status) == step.status else [f"the status is {status}, expected is {step.status}"]
        problems += self.differences(step.body, answer)
        shown = ""
        if step.claims:
            token = decoded(answer)
            problems += self.differences(step.claims, token[1])
            shown = "\ntoken: " + " ".join(json.dumps(part) for part in token)
        for name, member in step.saves.items():
            if isinstance(answer.get(member), str):
                self.known[name] = answer[member]
            else:
                problems.append(f"the answer has no {member}")
        # An answer in lines reads worse than in one, and so does a whole token.
        body = re.sub(r"(Bearer [\w-]{16})[\w.-]+", r"\1...", " ".join(body.split()))
        return status, body + shown, problems

    def differences(self, expected, found, path=""):
        for name, value in expected.items():
            where, got = f"{path}{name}", found.get(name) if isinstance(found, dict) else None
            if isinstance(value, dict):
                yield from self.differences(value, got, f"{where}.")
                continue
            value = self.fill(value) if isinstance(value, str) else value
            if got != value:
                yield f"{where} is {json.dumps(got)}, expected is {json.dumps(value)}"

    def paint(self, colour, text):
        return f"\033[{colour}m{text}\033[0m" if self.colour else text
