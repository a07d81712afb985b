"""The files of other projects in the page of gatehouse-admin."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

FOLDER = Path("admin/ui/vendor")

ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| (?P<name>\S+) (?P<version>\S+) \| `[^`]+` "
    r"\| \[(?P<license>[^]]+)\]\((?P<text>[^)]+)\) \| `(?P<checksum>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)


@dataclass(frozen=True, order=True)
class Script:
    """A file of an npm package, with the path of its licence and its SHA-256 in hex."""

    name: str
    version: str
    license: str
    file: str
    checksum: str
    text: Path

    def licence_files(self):
        """Returns its files that hold licences."""
        return [self.text]

    def component(self):
        """Returns the file as a component of a bill of materials."""
        purl = f"pkg:npm/{quote(self.name, safe='/')}@{self.version}"
        return {
            "type": "library",
            "bom-ref": purl,
            "name": self.name,
            "version": self.version,
            "scope": "required",
            "licenses": [{"expression": self.license}],
            "purl": purl,
            "hashes": [{"alg": "SHA-256", "content": self.checksum}],
        }


def scripts():
    """Returns what the README of the folder lists, sorted."""
    rows = ROW.finditer((FOLDER / "README.md").read_text())
    found = [Script(**row.groupdict() | {"text": FOLDER / row["text"]}) for row in rows]
    if not found:
        raise SystemExit(f"{FOLDER}/README.md lists no files in the form that package/page.py reads")
    return sorted(found)
