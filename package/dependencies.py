"""Which crates are linked into what we ship."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

WASM = "wasm32-wasip1"
FILES = ("license", "licence", "copying", "copyright", "notice", "unlicense")


@dataclass(frozen=True, order=True)
class Crate:
    """A crate; `source` is None if it is one of ours, and `checksum` (SHA-256, hex) then is too."""

    name: str
    version: str
    license: str
    source: str | None
    checksum: str | None
    repository: str | None
    folder: Path

    def licence_files(self):
        """Returns its files that hold licences, sorted by name."""
        found = [path for path in self.folder.iterdir() if path.name.lower().startswith(FILES)]
        # `LICENSES/` of one crate, or a file.
        files = [path for path in found if path.is_file()]
        for folder in (path for path in found if path.is_dir()):
            files += [path for path in folder.iterdir() if path.is_file()]
        return sorted(files)


def run(*command):
    """Returns the output of a command."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def cargo(*arguments):
    """Returns the output of a cargo command that uses Cargo.lock as it is."""
    return run("cargo", *arguments, "--locked")


def checksums():
    """Returns the checksums in Cargo.lock by name and version."""
    found, name, version = {}, None, None
    for line in Path("Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == "name":
            name = value.strip('"')
        elif key == "version":
            version = value.strip('"')
        elif key == "checksum":
            found[name, version] = value.strip('"')
    return found


class Dependencies:
    """The crates of the workspace."""

    def __init__(self):
        sums = checksums()
        self.crates = {}
        for found in json.loads(cargo("metadata", "--format-version", "1"))["packages"]:
            key = found["name"], found["version"]
            folder = Path(found["manifest_path"]).parent
            # SPDX writes OR where an old manifest writes a slash.
            license = (found["license"] or "").replace("/", " OR ")
            source = found["source"] and "crates.io"
            self.crates[key] = Crate(*key, license, source, sums.get(key), found["repository"], folder)

    def linked(self, package, target):
        """Returns the crates that the code of `package` is made of for `target`, itself
        included, sorted.

        What runs only while it is built (build scripts, procedural macros) is left out.
        """
        listed = cargo("tree", "-p", package, "--target", target, "-e", "normal,no-proc-macro", "--prefix", "none")
        names = {tuple(line.split()[:2]) for line in listed.splitlines() if line}
        return sorted(self.crates[name, version.removeprefix("v")] for name, version in names)
