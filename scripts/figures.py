"""The figures in the documents, written from the committed results of the measurements.

    figures.py [--check]    writes them; with --check, says which documents are out of date

A document has two kinds of places. A block is the text between two lines:

    <!-- figures: NAME -->
    <!-- end of figures -->

A value is a part of one line: `<!-- figure: NAME -->1.1 ms<!-- / -->`. It does not begin the line, since Markdown ends a
paragraph before a line that begins with a comment.

A source is a module with a function `shown`, which gives what its results say as `Shown`.
"""

import re
import subprocess
import sys
from pathlib import Path

import bench_algorithms
import bench_alternatives
import bench_fuzz
import bench_gateway
import bench_growth
import bench_service
import bench_torture
import bench_ui
import fault_tables

SOURCES = [bench_gateway, bench_alternatives, bench_growth, bench_algorithms, bench_service, bench_ui, fault_tables, bench_fuzz, bench_torture]
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
FIRST = re.compile(r"^\s*<!-- figure: ([\w-]+) -->", re.MULTILINE)
VALUE = re.compile(r"(<!-- figure: ([\w-]+) -->)[^\n]*?(<!-- / -->)")


def documents():
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and Path(name).exists()]


def filled(path, text, blocks, values):
    """The text of a document with all of its figures."""

    if first := FIRST.search(text):
        sys.exit(f"{path}: the figure `{first[1]}` begins a line, which ends the paragraph: put a word before it")

    def put(known):
        def replaced(match):
            if match[2] not in known:
                sys.exit(f"{path}: no measurement gives the figure `{match[2]}`; known are: {', '.join(sorted(known))}")
            return match[1] + known[match[2]] + match[3]

        return replaced

    return VALUE.sub(put(values), BLOCK.sub(put(blocks), text))


def main(*arguments):
    blocks, values, wanted = {}, {}, {}
    for source in SOURCES:
        shown = source.shown()
        blocks |= shown.blocks
        values |= shown.values
        wanted |= shown.pictures
    for path in documents():
        text = path.read_text()
        new = filled(path, text, blocks, values)
        if "<!-- figure" in text:
            wanted[path] = new
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments and stale:
        sys.exit(f"not what bench/results says: {', '.join(map(str, stale))} (run `scripts/bench --render`)")
    for path in stale:
        path.write_text(wanted[path])


if __name__ == "__main__":
    main(*sys.argv[1:])
