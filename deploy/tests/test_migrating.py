"""The way from Kong's own plugins to filters, step by step as docs/migrating/README.md has it."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from package.tests.registry import free_port

from .running import KONG, Running

DOCUMENT = Path("docs/migrating/README.md").read_text()
# Groups decide who may pass; the requests and their answers.
FILE = Path("tools/gateway-files/tests/kong/groups.yml")
ANSWERS = [
    ("/reports", "anas-key", 200),
    ("/reports", "eves-key", 403),
    ("/forum", "bobs-key", 403),
    ("/empty", "no-key", 401),
]
PLUGINS = {"KONG_PLUGINS": "acl,key-auth"}


def convert():
    """Returns the command of the document that converts."""
    return re.search(r"^\$ (gatehouse-admin convert .+)$", DOCUMENT, re.MULTILINE)[1]


def steps():
    """Returns the commands in the numbered steps of the document."""
    listed = re.search(r"\n1\. (?:.|\n)+?\n\n", DOCUMENT)[0]
    found = (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", listed))
    return [code for code in found if " " in code]


class Migrating(Running):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        (self.bin / "gatehouse-admin").symlink_to(Path("dist/gatehouse-admin").resolve())
        text = FILE.read_text()
        for port in (8002, 8003, 8004):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.upstream}")
        (self.folder / "kong.yml").write_text(text)

    def shell(self, *commands):
        """Runs commands of the document in a shell, and returns what it prints."""
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder)}
        done = subprocess.run(
            ["bash", "-ec", "\n".join(commands)],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_answers(self):
        found = [(path, key, self.get(path, apikey=key)[0]) for path, key, _ in ANSWERS]
        self.assertEqual(found, ANSWERS)

    def converted(self):
        """Follows the steps up to the restart. Returns the new variables of Kong's environment."""
        self.shell(convert())
        variables = next(step for step in steps() if "gatehouse.env" in step)
        check = next(step for step in steps() if "check-config" in step)
        told = self.shell(variables, check)
        self.assertRegex(told, r"gatehouse\.yml: \d+ filters, 0 errors, 0 warnings")
        printed = self.shell(variables, "env -0").split("\0")
        return dict(line.split("=", 1) for line in printed if line.startswith("GATEHOUSE_"))

    def test_the_commands_up_to_the_restart_can_be_followed(self):
        before = (self.folder / "kong.yml").read_text()
        self.assertIn("GATEHOUSE_KEY_ANA", self.converted())
        # To go back, the old file is there.
        self.assertEqual((self.folder / "kong.yml").read_text(), before)

    @unittest.skipUnless(KONG, "there is no Kong 3.9 (README.md, Versions)")
    def test_after_one_command_and_a_restart_kong_answers_as_before(self):
        self.port = free_port()
        prefix = self.folder / "kong"
        environment = os.environ | PLUGINS | {
            "KONG_DATABASE": "off",
            "KONG_PREFIX": str(prefix),
            "KONG_DECLARATIVE_CONFIG": str(self.folder / "kong.yml"),
            "KONG_PROXY_LISTEN": f"127.0.0.1:{self.port}",
            "KONG_ADMIN_LISTEN": "off",
            "KONG_NGINX_WORKER_PROCESSES": "1",
        }
        self.addCleanup(subprocess.run, [KONG, "stop", "--prefix", prefix], stdout=subprocess.DEVNULL, check=False)
        subprocess.run([KONG, "start"], env=environment, check=True, capture_output=True)
        self.assert_answers()

        variables = self.converted()
        new = (self.folder / "gatehouse.yml").read_text()
        filters = self.folder / "filters"
        filters.mkdir()
        for name in set(re.findall(r"name: (gatehouse_[a-z_]+)\n", new)):
            for ending in (".wasm", ".meta.json"):
                shutil.copy(f"dist/filters/{name}{ending}", filters)
        lines = re.findall(r"^#   (\w+) = (.+)$", new, re.MULTILINE)
        self.assertIn(("wasm", "on"), lines)
        conf = {f"KONG_{name.upper()}": value for name, value in lines}
        conf["KONG_WASM_FILTERS_PATH"] = str(filters)
        conf["KONG_DECLARATIVE_CONFIG"] = str(self.folder / "gatehouse.yml")
        # Nothing of Kong's own judges any more.
        conf["KONG_PLUGINS"] = "off"
        restart = next(step for step in steps() if step == "kong restart").split()[1:]
        subprocess.run([KONG, *restart], env=environment | variables | conf, check=True, capture_output=True)
        self.assert_answers()


if __name__ == "__main__":
    unittest.main()
