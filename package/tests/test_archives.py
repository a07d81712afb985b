"""The archives, and that the same content gives the same bytes."""

import json
import os
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import yaml

from . import made


def unpack(package, name, folder):
    """Unpacks the archive whose name contains `name` with tar, and returns its only directory."""
    [archive] = package.glob(f"*{name}*.tar.gz")
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
    [directory] = Path(folder).iterdir()
    return directory


def chain_filters(path):
    """Returns the names of the filters in the chains of a declarative file of Kong, in order."""
    services = yaml.safe_load(path.read_text())["services"]
    chains = (chain for service in services for chain in service["filter_chains"])
    return [each["name"] for chain in chains for each in chain["filters"]]


class Archives(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def test_packing_twice_gives_the_same_bytes(self):
        again = made.make("again", made.FILTERS, TZ="Pacific/Kiritimati", LC_ALL="C")
        self.assertEqual(made.tree(again), made.tree(made.all_packages()))

    def test_everything_is_dated_by_the_commit_or_by_the_environment(self):
        commit = subprocess.run(["git", "log", "-1", "--format=%ct"], stdout=subprocess.PIPE, check=False).stdout
        when = int(os.environ.get("SOURCE_DATE_EPOCH") or commit or 0)
        for package, expected in [(made.all_packages(), when), (made.two_filters(), made.DATE)]:
            [archive] = package.glob("*kong.tar.gz")
            with tarfile.open(archive) as opened:
                self.assertEqual({member.mtime for member in opened}, {expected})

    def test_the_sums_are_right_outside_and_inside(self):
        command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
        subprocess.run(command, cwd=made.all_packages(), check=True)
        listed = (made.all_packages() / "SHA256SUMS").read_text()
        for path in made.tree(made.all_packages()):
            self.assertTrue("/blobs/" in path or path == "SHA256SUMS" or f"  {path}\n" in listed, path)
        directory = unpack(made.all_packages(), "-linux-", self.folder)
        subprocess.run(command, cwd=directory, check=True)

    def test_the_archive_of_everything_holds_the_program_the_filters_and_the_files_to_copy(self):
        directory = unpack(made.all_packages(), "-linux-", self.folder)
        program = directory / "gatehouse-admin"
        version = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(directory.name.split("-")[1], version.split()[1])
        filters = {path.name for path in (directory / "filters").iterdir()}
        endings = (".wasm", ".meta.json")
        self.assertEqual(filters, {f"gatehouse_{name}{ending}" for name in made.FILTERS for ending in endings})
        everything = Path("dist/gatehouse.wasm")
        if everything.is_file():
            self.assertEqual((directory / everything.name).read_bytes(), everything.read_bytes())
        for path in ("envoy-config/envoy.yaml", "kong-config/kong.conf", "LICENSE", "THIRD-PARTY.txt", "docs/hosts.md"):
            self.assertTrue((directory / path).is_file(), path)

    @unittest.skipUnless(Path("dist/names").is_dir(), "the modules were built without wasm-opt, and keep their names")
    def test_the_names_of_functions_are_beside_the_modules_that_lost_them(self):
        def names(folder):
            return {path.stem: path.read_text() for path in (folder / "names").iterdir()}

        built = {path.stem.removeprefix("gatehouse_"): path.read_text() for path in Path("dist/names").iterdir()}
        self.assertEqual(built.keys(), {*made.FILTERS, "gatehouse"})
        for module, text in built.items():
            # Numbers without a gap, from 0.
            numbers = [int(line.split(":")[0]) for line in text.splitlines()]
            self.assertEqual(numbers, list(range(len(numbers))), module)
        self.assertEqual(names(made.all_packages()), built)
        self.assertEqual(names(unpack(made.all_packages(), "-linux-", self.folder)), built)
        used = {name: built[name] for name in ("cors", "key_auth")}
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(names(unpack(made.two_filters(), "-kong", folder)), used)

    def test_the_chains_for_kong_are_unchanged_if_all_filters_are_packed(self):
        directory = unpack(made.all_packages(), "-kong", self.folder)
        for name in ("kong.yml", "kong-local.yml", "kong.conf"):
            self.assertEqual((directory / "kong-config" / name).read_text(), Path("kong-config", name).read_text())

    def test_an_archive_for_kong_holds_only_what_is_used(self):
        directory = unpack(made.two_filters(), "-kong", self.folder)
        filters = {path.name for path in (directory / "filters").iterdir()}
        names = ["gatehouse_cors", "gatehouse_key_auth"]
        self.assertEqual(filters, {f"{name}{ending}" for name in names for ending in (".wasm", ".meta.json")})
        bills = {path.name for path in (directory / "sbom").iterdir()}
        self.assertEqual(bills, {"cors.cdx.json", "key_auth.cdx.json"})
        for name in ("kong.yml", "kong-local.yml"):
            path = directory / "kong-config" / name
            before = chain_filters(Path("kong-config", name))
            self.assertEqual(chain_filters(path), [used for used in before if used in names])
            # What is no chain stays.
            whole = yaml.safe_load(Path("kong-config", name).read_text())
            left = yaml.safe_load(path.read_text())
            self.assertEqual(left.get("plugins"), whole.get("plugins"))
            self.assertEqual(json.dumps(left["services"][0]["routes"]), json.dumps(whole["services"][0]["routes"]))
        self.assertFalse((directory / "gatehouse-admin").exists())


if __name__ == "__main__":
    unittest.main()
