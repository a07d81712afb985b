"""Packages hold nothing of the machine that builds: no secret, no name and no path."""

import gzip
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from package import leaks
from package.repeatable import Entry, tar

from . import made

SECRET = "planted-f3b1c0de5a17d00dfeedfacecafe42"


def wrapped(content):
    """Returns `content` as each kind of package has it, by the name of a file."""
    archive = gzip.compress(tar([Entry("folder/file", content)], 0))
    return {
        "file": content,
        "blobs/sha256/0123": archive,
        "all.tar.gz": gzip.compress(tar([Entry("a/b", b"other"), Entry("images/layer", archive)], 0)),
        "chart.tgz": gzip.compress(tar([Entry("chart/values.yaml", content)], 0)),
    }


class Leaks(unittest.TestCase):
    def folder(self, files):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        for name, content in files.items():
            path = Path(scratch.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return scratch.name

    def test_the_search_finds_a_secret_in_every_form_and_in_every_kind_of_package(self):
        for form, texts in leaks.forms(SECRET.encode()).items():
            for text in texts:
                for name, content in wrapped(b"before " + text + b" behind").items():
                    found = leaks.search(leaks.contents(self.folder({name: content})), {"it": SECRET}, {})
                    self.assertTrue(any(line.endswith(f": it, {form}") for line in found), f"{form}, {name}: {found}")
        self.assertEqual(leaks.search({"file": SECRET[1:].encode()}, {"it": SECRET}, {}), [])

    def test_no_package_holds_a_secret_of_the_machine_that_built_or_packed(self):
        secrets = {"planted while packing": made.PLANTED["PLANTED_PASSWORD"], "planted while building": os.environ["SECRET_OF_THE_BUILDING_MACHINE"]}
        self.assertTrue(all(len(secret) >= leaks.SHORTEST for secret in secrets.values()))
        files = leaks.contents(made.all_packages())
        # Modules, layers, what is in archives, and the program.
        for part in ("images/key_auth/blobs/", "-kong.tar.gz!/", "sbom/", "THIRD-PARTY.txt"):
            self.assertTrue(any(part in path for path in files), part)
        self.assertIn(Path("dist/gatehouse-admin").read_bytes(), files.values())
        self.assertEqual(leaks.search(files, secrets | leaks.secrets_of_the_environment(os.environ), {}), [])

    def test_no_package_names_the_machine_that_built(self):
        names = leaks.names_of_the_machine()
        self.assertTrue(names)
        files = leaks.contents(made.all_packages())
        # The program of `make build` is for this machine. `make package` compiles another one, and
        # searches it.
        program = Path("dist/gatehouse-admin").read_bytes()
        rest = {path: content.replace(program, b"") for path, content in files.items()}
        self.assertEqual(leaks.search(rest, {}, names), [])

    def test_make_package_fails_if_a_package_holds_a_secret_of_its_environment(self):
        for content, status in [(b"nothing", 0), (SECRET.encode(), 1)]:
            folder = self.folder({"all.tar.gz": wrapped(content)["all.tar.gz"]})
            environment = os.environ | {"REGISTRY_PASSWORD": SECRET}
            done = subprocess.run([sys.executable, "-m", "package.leaks", folder], env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual("the variable REGISTRY_PASSWORD, in clear" in done.stderr, status == 1)
            self.assertNotIn(SECRET, done.stderr)


if __name__ == "__main__":
    unittest.main()
