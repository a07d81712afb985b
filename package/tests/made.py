"""The packages of what `make build` left in dist/, made once for all tests."""

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FILTERS = sorted(path.stem.removeprefix("gatehouse_") for path in Path("dist/filters").glob("*.wasm"))
# Secrets in the environment of whoever packs, for which a test searches the packages.
PLANTED = {"PLANTED_PASSWORD": "planted-0f7b5a1e94c2d68830c1be55a0"}
# Seconds since 1970.
DATE = 86400
# Ends with the process.
SCRATCH = tempfile.TemporaryDirectory(prefix="gatehouse-packages-")


def make(name, filters, **environment):
    """Packs `filters` into a directory of that name, and returns it."""
    out = Path(SCRATCH.name, name)
    command = [sys.executable, "-m", "package", "--out", out, *filters]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | PLANTED | environment)
    return out


@functools.cache
def all_packages():
    """Returns the directory with the packages of all filters."""
    return make("all", FILTERS)


@functools.cache
def two_filters():
    """Returns the directory with the packages of two filters, which were made on another day
    (`DATE`).
    """
    return make("two", ["key_auth", "cors"], SOURCE_DATE_EPOCH=str(DATE))


def modules():
    """Returns the Wasm module of each image by the image's name."""
    found = {name: Path(f"dist/filters/gatehouse_{name}.wasm") for name in FILTERS}
    everything = Path("dist/gatehouse.wasm")
    return found | ({"gatehouse": everything} if everything.is_file() else {})


def tree(folder):
    """Returns the SHA-256 of every file below `folder` by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
