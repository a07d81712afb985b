"""What files tell of themselves in their first comment: `curl` lines, and parts of their answers."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from pathlib import Path

from .running import GATEWAY

SECRET = b"a-secret-of-32-bytes-for-examples"
# The key of fiona's JWT credential.
ISSUER = "fionas-app"
# The variables that the files name.
ENVIRONMENT = {
    "GATEHOUSE_TOKEN": GATEWAY,
    "GATEHOUSE_SESSION_SECRET": "a-secret",
    "GATEHOUSE_UPSTREAM_KEY": Path("filters/upstream-jwt/test-keys/rsa.pem").read_text(),
    "GATEHOUSE_MOESIF_APPLICATION_ID": "an-id",
}


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


def token():
    """Returns a JSON Web Token of fiona's credential."""

    def part(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    claims = {"iss": ISSUER, "exp": int(time.time()) + 3600}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.digest(SECRET, signed, hashlib.sha256))).decode()


def start_admin(test):
    """Starts gatehouse-admin for a test, with a consumer who has all that the files name."""
    test.start_admin()
    credential = f"algorithm=HS256&key={ISSUER}&secret=".encode() + SECRET
    test.ask_admin("POST", "/consumers/fiona/jwt", credential)


def follow(test, text):
    """Sends the requests in a file's comments to the gateway of a test, and checks the answers."""
    told = exchanges(text)
    test.assertTrue(told)
    for command, expected in told:
        here = command.replace("127.0.0.1:8000", f"127.0.0.1:{test.port}")
        here = here.replace("curl", "curl --silent --no-buffer", 1)
        environment = {"TOKEN": token(), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            ["sh", "-c", here], cwd=test.folder, env=environment, capture_output=True, text=True, check=True
        )
        test.assertTrue(expected, command)
        for part in expected:
            test.assertIn(part, done.stdout, command)
