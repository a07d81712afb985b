"""The image of gatehouse-admin, pulled by skopeo and started without a container engine."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from . import made
from .registry import free_port, skopeo

sys.path.append("scripts")
from progress import Patience


def chroot():
    """Returns a command that changes the root directory, or nothing if this user can have none."""
    program = shutil.which("chroot", path=os.environ["PATH"] + ":/usr/sbin")
    if os.geteuid() == 0:
        return [program]
    command = [shutil.which("unshare"), "--user", "--map-root-user"]
    allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return [*command, program] if allowed else []


CHROOT = chroot()
TOKEN = "0123456789abcdef0123456789abcdef"


class AdminImage(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root, copy = Path(scratch.name, "root"), Path(scratch.name, "copy")
        self.root.mkdir()
        [layout] = (made.all_packages() / "images").glob("gatehouse-admin")
        skopeo("copy", f"oci:{layout}", f"dir:{copy}")
        self.config = json.loads(skopeo("inspect", "--raw", "--config", f"oci:{layout}"))
        [layer] = json.loads((copy / "manifest.json").read_text())["layers"]
        blob = copy / layer["digest"].removeprefix("sha256:")
        with tarfile.open(blob) as archive:
            self.members = {member.name: member for member in archive}
        subprocess.run(["tar", "-xzf", blob, "-C", self.root], check=True)

    def paths(self):
        """Returns the paths of all files in the container."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def environment(self, port):
        """Returns the environment of the image, with what an operator adds to it."""
        values = dict(line.split("=", 1) for line in self.config["config"]["Env"])
        (self.root / "token").write_text(TOKEN)
        os.chmod(self.root / "token", 0o444)
        added = {"LISTEN": f"0.0.0.0:{port}", "ADMIN_TOKEN_FILE": "/token", "INSECURE": "true"}
        values |= {f"GATEHOUSE_{name}": value for name, value in added.items()}
        if not CHROOT:
            for path in ("/data/", "/token"):
                values = {name: value.replace(path, f"{self.root}{path}") for name, value in values.items()}
        return values

    def command(self, arguments):
        """Returns a command that runs `arguments` in the image as its user; without root, as
        another one, and where users have no namespaces, in its directory instead of in it.
        """
        program, *rest = arguments
        if not CHROOT:
            return [f"{self.root}{program}", *rest]
        user = [f"--userspec={self.config['config']['User']}"] if os.geteuid() == 0 else []
        return [*CHROOT, *user, self.root, *arguments]

    def test_it_serves_as_an_unprivileged_user_and_its_health_check_finds_it_well(self):
        described = self.config["config"]
        # The only devices that the program opens. An engine provides them.
        (self.root / "dev").mkdir()
        for name, minor in [("random", 8), ("urandom", 9)]:
            device = self.root / "dev" / name
            if os.geteuid() == 0:
                os.mknod(device, 0o444 | stat.S_IFCHR, os.makedev(1, minor))
                device.chmod(0o444)
            else:
                device.write_bytes(os.urandom(1 << 16))
        environment = self.environment(free_port())
        before = self.paths()
        service = subprocess.Popen(
            self.command(described["Entrypoint"] + described["Cmd"]), env=environment, stdout=subprocess.PIPE, text=True
        )
        check = self.command(described["Healthcheck"]["Test"][1:])

        def is_well():
            quiet = subprocess.DEVNULL
            return subprocess.run(check, env=environment, stderr=quiet, check=False).returncode == 0

        try:
            patience = Patience([service.pid])
            while not is_well():
                assert service.poll() is None and not patience.is_over(), "the service does not become well"
                patience.pause()
            if os.geteuid() == 0:
                status = Path(f"/proc/{service.pid}/status").read_text()
                self.assertRegex(status, r"\nUid:(\s65532){4}\n")
            # Nothing but /data is written to: the root of the container may be read-only.
            written = self.paths() - before
            self.assertTrue(written and all(path.startswith("data/gatehouse.db") for path in written), written)
            service.send_signal(getattr(signal, described["StopSignal"]))
            self.assertEqual(service.wait(), 0)
            self.assertFalse(is_well())
        finally:
            service.kill()
            service.communicate()

    def test_its_user_can_change_nothing_in_it_but_its_data(self):
        user = int(self.config["config"]["User"].split(":")[0])
        self.assertNotEqual(user, 0)
        self.assertEqual([name for name, member in self.members.items() if member.uid == user], ["data"])
        for name, member in self.members.items():
            self.assertTrue(name == "tmp" or not member.mode & 0o6022, f"{name}: {member.mode:o}")

    def test_it_holds_one_program_which_needs_no_library_and_the_licences(self):
        programs = [name for name, member in self.members.items() if member.isfile() and member.mode & 0o111]
        self.assertEqual(programs, ["gatehouse-admin"])
        self.assertEqual((self.root / "gatehouse-admin").read_bytes(), Path("dist/gatehouse-admin").read_bytes())
        self.assertLessEqual({"licenses/LICENSE", "licenses/THIRD-PARTY.txt"}, self.members.keys())


if __name__ == "__main__":
    unittest.main()
