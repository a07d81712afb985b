"""The licences of all crates that are linked and of the scripts in the page of gatehouse-admin,
with their texts: each text once, with those that have it.
"""

import re
from pathlib import Path

HEAD = """\
Licences of the software in the packages of Gatehouse
=====================================================

Gatehouse itself is under the Apache License 2.0 (LICENSE). Its filters and gatehouse-admin contain
the crates and npm packages below. Where one offers a choice of licences, any of them may be chosen.

"""

# What is linked and is no crate, by what we ship.
RUNTIMES = """\
The standard library of Rust is under the Apache License 2.0 or the MIT licence
(https://www.rust-lang.org). A .wasm file contains wasi-libc besides
(https://github.com/WebAssembly/wasi-libc), which is under the MIT licence or the Apache License 2.0
with LLVM exceptions. gatehouse-admin contains SQLite, which is in the public domain
(https://www.sqlite.org/copyright.html).

"""

GLIBC = """\
gatehouse-admin is linked statically with the GNU C library (https://www.gnu.org/software/libc/),
which is under the GNU Lesser General Public License 2.1 or later. Its section 6 lets you link the
program with another version of that library: the source of the program is public, and `make build`
links it with the C library of the machine that it runs on.

"""


# Our own licence has no words of ours in it.
APACHE = Path("LICENSE")


def text(crates, scripts, static):
    """Returns the document for `crates` and `scripts`.

    `static` says whether a program is linked with the GNU C library.
    """
    crates = sorted(crate for crate in crates if crate.source) + sorted(scripts)
    parts = [HEAD, RUNTIMES, GLIBC if static else ""]
    parts += [f"  {crate.name} {crate.version}: {crate.license}\n" for crate in crates]
    holders = {}
    for crate in crates:
        files = crate.licence_files()
        if not files and "Apache-2.0" in re.split(r"[ ()]+", crate.license):
            # Some crates name this licence and leave its text, which is always the same, out.
            files = [APACHE]
        if not files:
            raise SystemExit(f"{crate.name} {crate.version} ({crate.license}) comes without the text of its licence")
        for file in files:
            content = file.read_text(errors="replace").replace("\r\n", "\n").strip("\n")
            holders.setdefault(content, []).append(f"{crate.name} {crate.version}, {file.name}")
    for content, names in sorted(holders.items(), key=lambda pair: pair[1]):
        parts.append("\n" + "-" * 80 + "\n" + "\n".join(names) + "\n" + "-" * 80 + "\n\n" + content + "\n")
    return "".join(parts).encode()
