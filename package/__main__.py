"""Packs dist/ into dist/packages/: `python3 -m package [--out DIRECTORY] filter ...`, which
scripts/package runs.
"""

import argparse
import platform
import re
import shutil
import sys
from pathlib import Path

from . import admin_image, archive, licences, page, sbom, wasm_image
from .dependencies import WASM, Dependencies, run
from .program import is_static
from .repeatable import epoch


# The module that holds all filters. Kong has no use for it.
ALL = Path("dist/gatehouse.wasm")
NAMES = Path("dist/names")


def rust_std(cargo):
    """Returns the standard library of the compiler that belongs to this cargo."""
    version = run(cargo, "--version").split()[1]
    return sbom.runtime("rust-std", version, "MIT OR Apache-2.0", "https://www.rust-lang.org")


class Packages:
    """One run. Everything of it carries the same version and date."""

    def __init__(self, out, features):
        self.out, self.features = out, features
        self.version = re.search(r'^version = "(.+)"$', Path("Cargo.toml").read_text(), re.MULTILINE)[1]
        self.when = epoch()
        self.machine = platform.machine()
        self.dependencies = Dependencies()
        self.crates = set()
        self.boms, self.digests = {}, {}
        # The modules may have another compiler than the program (scripts/wasm-build).
        way = Path(".tools/wasm-toolchain")
        debian = way.is_file() and way.read_text().startswith("debian")
        self.wasm_std = rust_std("/usr/bin/cargo" if debian else "cargo")
        self.libc = sbom.runtime("wasi-libc", None, "MIT OR Apache-2.0 WITH LLVM-exception", "https://wasi.dev")

    def annotations(self, title, description):
        """Returns what an image says of itself (image-spec, annotations.md)."""
        values = {"title": title, "description": description, "version": self.version, "licenses": "Apache-2.0"}
        return {f"org.opencontainers.image.{key}": value for key, value in values.items()}

    def bill(self, name, kind, content, package, target, others):
        """Makes the bill of materials of `content`, the code of the crate `package` and `others`."""
        crates = self.dependencies.linked(package, target)
        self.crates.update(crates)
        self.boms[f"{name}.cdx.json"] = sbom.document(name, self.version, kind, content, crates, others, self.when)

    def module(self, name, file, package, roots):
        """Makes the images and the bill of one Wasm module."""
        content = file.read_bytes()
        self.bill(name, "library", content, package, WASM, [self.wasm_std, self.libc])
        crate = next(crate for key, crate in self.dependencies.crates.items() if key[0] == package)
        manifest = (crate.folder / "Cargo.toml").read_text()
        told = re.search(r'^description = "(.+)"$', manifest, re.MULTILINE)[1]
        described = self.annotations(f"gatehouse/{name}", told)
        tags = wasm_image.write(self.out / "images" / name, self.version, content, roots, described, self.when)
        self.digests |= {f"{name}:{tag}": digest for tag, digest in tags.items()}

    def admin(self):
        """Makes the bill of gatehouse-admin and returns the program."""
        program = Path("dist/gatehouse-admin").read_bytes()
        target = f"{self.machine}-unknown-linux-gnu"
        runtimes = [rust_std("cargo")]
        if is_static(program):
            version = platform.libc_ver()[1]
            runtimes.append(sbom.runtime("glibc", version, "LGPL-2.1-or-later", "https://gnu.org/s/libc"))
        others = runtimes + [script.component() for script in page.scripts()]
        self.bill("gatehouse-admin", "application", program, "gatehouse-admin", target, others)
        return program

    def admin_image(self, program, documents):
        """Makes the image of gatehouse-admin."""
        if not is_static(program):
            print("no image of gatehouse-admin: the program needs shared libraries", file=sys.stderr)
            return
        described = self.annotations("gatehouse/gatehouse-admin", "The admin service of Gatehouse")
        folder = self.out / "images/gatehouse-admin"
        tags = admin_image.write(folder, self.version, self.machine, program, documents, described, self.when)
        self.digests |= {f"gatehouse-admin:{tag}": digest for tag, digest in tags.items()}

    def archives(self, program, documents):
        """Makes the archive of everything and the one for Kong."""
        bills = {f"sbom/{name}": bill for name, bill in self.boms.items()}
        everything = documents | bills | {"gatehouse-admin": program}
        if ALL.is_file():
            everything[ALL.name] = ALL.read_bytes()
        everything |= self.names([*self.features, "gatehouse"])
        name = f"gatehouse-{self.version}-linux-{self.machine}"
        self.archive(name, archive.content(self.features, ["envoy-config", "kong-config"], everything))
        used = {f"sbom/{feature}.cdx.json" for feature in self.features}
        bills = {path: bill for path, bill in bills.items() if path in used}
        name = f"gatehouse-{self.version}-kong"
        self.archive(name, archive.content(self.features, ["kong-config"], documents | bills | self.names(self.features)))

    def names(self, modules):
        """Returns the names of the functions of these modules, which the modules themselves have
        lost to wasm-opt (docs/size.md).
        """
        files = {name: NAMES / ("gatehouse.names" if name == "gatehouse" else f"gatehouse_{name}.names") for name in modules}
        return {f"names/{name}.names": file.read_bytes() for name, file in files.items() if file.is_file()}

    def chart(self):
        """Makes the archive of the chart, as Helm reads it."""
        folder = Path("deploy/kubernetes/chart")
        files = {str(path.relative_to(folder)): path.read_bytes() for path in archive.files_below(folder)}
        packed = archive.pack("gatehouse-admin", files, self.when)
        (self.out / f"gatehouse-admin-{self.version}.tgz").write_bytes(packed)

    def archive(self, name, files):
        """Writes one archive."""
        (self.out / f"{name}.tar.gz").write_bytes(archive.pack(name, files, self.when))

    def make(self):
        """Makes everything, and the sums of it."""
        shutil.rmtree(self.out, ignore_errors=True)
        (self.out / "sbom").mkdir(parents=True)
        for feature in self.features:
            name = feature.replace("_", "-")
            self.module(feature, Path(f"dist/filters/gatehouse_{feature}.wasm"), f"gatehouse-{name}", [feature])
        if ALL.is_file():
            roots = sorted(path.parent.name.replace("-", "_") for path in Path("filters").glob("*/Cargo.toml"))
            self.module("gatehouse", ALL, "gatehouse", roots)
        program = self.admin()
        documents = {
            "LICENSE": Path("LICENSE").read_bytes(),
            "THIRD-PARTY.txt": licences.text(self.crates, page.scripts(), is_static(program)),
        }
        self.admin_image(program, documents)
        self.archives(program, documents)
        self.chart()
        names = self.names([*self.features, "gatehouse"])
        if names:
            (self.out / "names").mkdir()
        for name, content in (documents | names).items():
            (self.out / name).write_bytes(content)
        for name, bill in self.boms.items():
            (self.out / "sbom" / name).write_bytes(bill)
        admin = self.out / f"gatehouse-admin-{self.version}-linux-{self.machine}"
        admin.write_bytes(program)
        admin.chmod(0o755)
        lines = (f"{digest}  {image}\n" for image, digest in sorted(self.digests.items()))
        (self.out / "DIGESTS").write_text("".join(lines))
        # The blobs of a layout are named after their sums.
        files = [path for path in archive.files_below(self.out) if "blobs" not in path.parts]
        listed = {str(path.relative_to(self.out)): path.read_bytes() for path in files}
        (self.out / "SHA256SUMS").write_bytes(archive.sums(listed))
        print((self.out / "SHA256SUMS").read_text(), end="")


arguments = argparse.ArgumentParser(prog="package", description="Packs what `make build` left in dist/.")
arguments.add_argument("--out", type=Path, default=Path("dist/packages"), help="directory, which is emptied first")
arguments.add_argument("filters", nargs="+", help="such as key_auth")
given = arguments.parse_args()
Packages(given.out, given.filters).make()
