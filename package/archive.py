"""The archives: a directory with filters, configurations and documents, and the sums of all its
files.
"""

import hashlib
from pathlib import Path

from .chains import only
from .repeatable import Entry, gzip, tar

DOCUMENTS = ["docs", "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"]


def files_below(path):
    """Returns the files of a file or directory, sorted."""
    return [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.is_file())


def sums(files):
    """Returns what `sha256sum --check` reads, for `files` (bytes by path)."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return "".join(lines).encode()


def content(features, configurations, added):
    """Returns the files of an archive by path.

    `features` are the filters in it, `configurations` the directories with files to copy, and
    `added` further files (bytes by path).
    """
    files = dict(added)
    for feature in features:
        for ending in (".wasm", ".meta.json"):
            name = f"gatehouse_{feature}{ending}"
            files[f"filters/{name}"] = Path("dist/filters", name).read_bytes()
        # Kong loads whatever lies beside the filters, so their descriptions go elsewhere.
        readme = Path("filters", feature.replace("_", "-"), "README.md")
        if readme.is_file():
            files[f"docs/filters/{readme.parent.name}.md"] = readme.read_bytes()
    for path in map(Path, [*configurations, *DOCUMENTS]):
        for file in files_below(path):
            files[str(file)] = file.read_bytes()
    for path in files:
        if path.startswith("kong-config/") and path.endswith(".yml"):
            files[path] = only(files[path].decode(), features).encode()
    return files


def pack(name, files, when):
    """Returns the archive whose only directory `name` holds `files`, and the sums of them in
    SHA256SUMS.
    """
    files = files | {"SHA256SUMS": sums(files)}
    executable = {"gatehouse-admin"}
    entries = [Entry(f"{name}/{path}", data, 0o755 if path in executable else 0o644) for path, data in files.items()]
    return gzip(tar(entries, when))
