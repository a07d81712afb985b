"""A registry on this machine, and skopeo: both are implementations of OCI that are not ours."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.append("scripts")
from progress import Patience

CONFIG = """\
version: 0.1
storage: {{ filesystem: {{ rootdirectory: {root} }} }}
http: {{ addr: "{address}" }}
log: {{ level: error }}
"""


def free_port():
    """Returns a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """A registry (CNCF's distribution) that runs until `stop`."""

    def __init__(self):
        program = subprocess.run(["scripts/registry"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.directory = tempfile.TemporaryDirectory()
        self.address = f"127.0.0.1:{free_port()}"
        config = Path(self.directory.name, "config.yml")
        config.write_text(CONFIG.format(root=self.directory.name, address=self.address))
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([program, "serve", config], stdout=quiet, stderr=quiet)
        patience = Patience([self.process.pid])
        while not self.answers():
            assert self.process.poll() is None and not patience.is_over(), "the registry does not start"
            patience.pause()

    def stop(self):
        """Ends the registry, and removes what it holds."""
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def answers(self):
        """Returns whether the registry has begun to serve."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/") as answer:
                return answer.status == 200
        except urllib.error.URLError:
            return False

    def pull(self, image, folder):
        """Copies an image into a new directory as it is, and returns its manifest."""
        skopeo("copy", "--src-tls-verify=false", f"docker://{self.address}/{image}", f"dir:{folder}")
        return json.loads(Path(folder, "manifest.json").read_text())


def skopeo(*arguments):
    """Runs skopeo, and returns what it prints."""
    command = ["skopeo", "--insecure-policy", *arguments]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 0, f"{command}: {found.stderr}"
    return found.stdout
