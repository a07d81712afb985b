"""Archives and JSON whose bytes depend on their content alone."""

import io
import json
import os
import subprocess
import tarfile
import time
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file of an archive, or a directory if `content` is None. `owner` is both user and
    group.
    """

    path: str
    content: bytes | None
    mode: int = 0o644
    owner: int = 0


def epoch():
    """Returns the time that everything is dated, in seconds since 1970.

    It is SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), else that of
    the commit, else 0.
    """
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    commit = subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    return int(commit.stdout.strip() or 0)


def rfc3339(when):
    """Returns a time in seconds since 1970 as text, such as `2026-11-28T11:05:09Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def tar(entries, when):
    """Returns a tar archive of `entries`, sorted by path and dated `when`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in sorted(entries, key=lambda entry: entry.path):
            info = tarfile.TarInfo(entry.path)
            info.mode, info.mtime, info.uid, info.gid = entry.mode, when, entry.owner, entry.owner
            if entry.content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(entry.content)
                archive.addfile(info, io.BytesIO(entry.content))
    return buffer.getvalue()


def gzip(data):
    """Returns `data` in gzip's format, without a name or a time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def to_json(value):
    """Returns `value` as indented JSON with sorted keys, in bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
