"""The files in deploy/ that people copy."""

import subprocess
from pathlib import Path

import yaml

DEPLOY = Path("deploy")


def documents(path):
    """Returns the YAML documents of a file."""
    return [found for found in yaml.safe_load_all(Path(path).read_text()) if found]


def resources():
    """Returns each Kubernetes resource below deploy/ with its file."""
    for folder in ("kubernetes", "istio", "envoy-gateway"):
        for path in sorted((DEPLOY / folder).glob("*.yaml")):
            for found in documents(path):
                yield path, found


def converted(*options):
    """Returns each resource that `convert --to istio` makes of the files of its own tests, with the
    file.
    """
    files = sorted(Path("tools/gateway-files/tests/kong").iterdir())
    assert len(files) >= 15
    for path in files:
        command = ["dist/gatehouse-admin", "convert", "--to", "istio", path, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for found in yaml.safe_load_all(done.stdout):
            yield path, found


def resource(path, kind, name=None):
    """Returns the only resource of a kind (and name) in a file."""
    [found] = [
        each
        for each in documents(path)
        if each["kind"] == kind and name in (None, each["metadata"]["name"])
    ]
    return found
