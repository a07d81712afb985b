"""The file for each filter in envoy-config/filters, on a real Envoy: the answers to its `curl` lines."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
import unittest
from pathlib import Path

from package.tests.registry import free_port

from .running import GATEWAY, Running

FOLDER = Path("envoy-config/filters")
SECRET = b"a-secret-of-32-bytes-for-examples"


def exchanges(text):
    """Returns each `curl` line of a file's comments with the parts that its answer has."""
    comment = text.split("\n\n")[0].replace("\\\n#", "")
    lines = [line.removeprefix("#").strip() for line in comment.splitlines()]
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif found and line:
            found[-1][1].append(line)
    return found


def token(key):
    """Returns a JSON Web Token of the credential `key`."""

    def part(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    claims = {"iss": key, "exp": int(time.time()) + 3600}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.digest(SECRET, signed, hashlib.sha256))).decode()


class Filters(Running):
    def test_each_filter_has_a_file(self):
        filters = {path.stem.removeprefix("gatehouse_") for path in Path("dist/filters").glob("*.wasm")}
        self.assertEqual({path.stem for path in FOLDER.iterdir()}, filters)

    def test_each_file_gives_the_answers_that_it_tells(self):
        self.start_admin()
        credential = b"algorithm=HS256&key=fionas-app&secret=" + SECRET
        self.ask_admin("POST", "/consumers/fiona/jwt", credential)
        for path in sorted(FOLDER.iterdir()):
            with self.subTest(path=path):
                self.follow(path)

    def follow(self, path):
        """Starts an Envoy with a file, and sends the requests in its comments."""
        text = path.read_text()
        self.port = free_port()
        environment = {
            "GATEHOUSE_TOKEN": GATEWAY,
            "GATEHOUSE_SESSION_SECRET": "a-secret",
            "GATEHOUSE_UPSTREAM_KEY": Path("filters/upstream-jwt/test-keys/rsa.pem").read_text(),
            "GATEHOUSE_MOESIF_APPLICATION_ID": "an-id",
        }
        moved = text
        for before, after in {
            "8000": self.port,
            "8001": self.admin,
            "8002": self.upstream,
            # Nobody listens there.
            "443": free_port(),
        }.items():
            moved = moved.replace(f"port_value: {before} ", f"port_value: {after} ")
        moved = re.sub(r"filename: (\S+\.wasm)", r"filename: dist/\1", moved).replace("api.moesif.net,", "localhost,")
        envoy = self.start_envoy(moved, [], environment, "/")
        told = exchanges(text)
        self.assertTrue(told)
        for command, expected in told:
            command = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
            here = {"TOKEN": token("fionas-app"), "PATH": "/usr/bin:/bin"}
            done = subprocess.run(
                ["sh", "-c", command.replace("curl", "curl --silent --no-buffer", 1)],
                cwd=self.folder, env=here, capture_output=True, text=True, check=True,
            )
            self.assertTrue(expected, command)
            for part in expected:
                self.assertIn(part, done.stdout, command)
        envoy.kill()
        envoy.wait()


if __name__ == "__main__":
    unittest.main()
