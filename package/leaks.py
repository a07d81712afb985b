"""Searches packages for what they must not hold: secrets in the environment of the machine that
builds, and the names and paths of this machine. `python3 -m package.leaks DIRECTORY`, which
scripts/package runs, ends with a non-zero status if it finds one.
"""

import base64
import hashlib
import io
import os
import re
import socket
import sys
import tarfile
import zlib
from pathlib import Path

# A shorter text may be there by chance.
SHORTEST = 12
GZIP = b"\x1f\x8b"


def forms(secret):
    """Returns `secret` (bytes) as it may stand in a file, by the name of the form."""
    found = {
        "in clear": [secret],
        "reversed": [secret[::-1]],
        "in hex": [secret.hex().encode(), secret.hex().upper().encode()],
        "percent-encoded": [b"".join(b"%%%02x" % byte for byte in secret), b"".join(b"%%%02X" % byte for byte in secret)],
        "of its digits": [", ".join(map(str, secret)).encode()],
        "in base64": [],
        "in base64url": [],
    }
    # In the base64 of a longer text, a secret begins at one of three places, and what stands before
    # and behind it changes the outer characters.
    for before in range(3):
        text = bytes(before) + secret
        begin, end = -(-before * 8 // 6), len(text) * 8 // 6
        found["in base64"].append(base64.b64encode(text)[begin:end])
        found["in base64url"].append(base64.urlsafe_b64encode(text)[begin:end])
    return found


def unpacked(path, content):
    """Yields a file (`path`, and `content` in bytes) and, if it is an archive, all that is in it."""
    yield path, content
    if content.startswith(GZIP):
        yield from unpacked(f"{path}!", zlib.decompress(content, wbits=31))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.isfile():
                    yield from unpacked(f"{path}/{member.name}", archive.extractfile(member).read())


def contents(folder):
    """Returns every file below `folder` and in its archives, once: bytes by path."""
    found, seen = {}, set()
    for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        for path, content in unpacked(str(file.relative_to(folder)), file.read_bytes()):
            digest = hashlib.sha256(content).digest()
            if digest not in seen:
                seen.add(digest)
                found[path] = content
    return found


def search(files, secrets, names):
    """Returns a line for each text that is in one of `files` (bytes by path): those of `secrets` in
    every form, those of `names` in clear. Both are texts by what they are.
    """
    needles = [(what, form, text) for what, secret in secrets.items() for form, all_of in forms(secret.encode()).items() for text in all_of]
    needles += [(what, "in clear", name.encode()) for what, name in names.items()]
    return [f"{path}: {what}, {form}" for path, content in files.items() for what, form, text in needles if text in content]


def secrets_of_the_environment(environment):
    """Returns the values of the variables that are secrets by their names. A path is none."""
    named = {name: value for name, value in environment.items() if re.search("TOKEN|SECRET|PASSW|CREDENTIAL|KEY", name.upper())}
    return {f"the variable {name}": value for name, value in named.items() if len(value) >= SHORTEST and value[0] != "/"}


def names_of_the_machine():
    """Returns the paths and the name by which this machine could be recognised."""
    home = os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
    paths = {"the directory of the project": os.getcwd(), "the home of cargo": home, "the home directory": Path.home()}
    # `/src` or `/root` is in many texts, and `/gatehouse` is what a program calls its sources.
    told = {what: str(path) for what, path in paths.items() if len(Path(path).parts) > 2 and len(str(path)) >= SHORTEST}
    host = socket.gethostname()
    # A name that is a mere word may be there by chance.
    return told | ({"the name of the host": host} if len(host) >= 8 and re.search("[0-9-]", host) else {})


def main(folder):
    """Searches the packages in `folder` for all that this machine should keep."""
    files = contents(folder)
    secrets, names = secrets_of_the_environment(os.environ), names_of_the_machine()
    found = search(files, secrets, names)
    size = sum(map(len, files.values())) // 1_000_000
    told = f"{len(files)} files with {size} MB: {len(secrets)} secrets and {len(names)} names of this machine"
    print("\n".join(found) or f"{told} were looked for in the packages and not found", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
