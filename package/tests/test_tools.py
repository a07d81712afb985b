"""What `make package` needs besides the compilers."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path


class Tools(unittest.TestCase):
    def test_without_wasm_opt_it_ends_before_it_compiles_and_says_how_to_get_it(self):
        with tempfile.TemporaryDirectory() as folder:
            # All programs but wasm-opt, and an apt that installs nothing.
            for directory in os.environ["PATH"].split(":"):
                for program in Path(directory).glob("*"):
                    here = Path(folder, program.name)
                    if program.name not in ("wasm-opt", "apt-get") and not here.is_symlink():
                        here.symlink_to(program.resolve() if program.parent.is_symlink() else program)
            Path(folder, "apt-get").symlink_to(Path(folder, "false"))
            environment = os.environ | {"PATH": folder, "GATEHOUSE_WASM_OPT": "yes"}
            command = ["scripts/wasm-build", "--prepare"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("wasm-opt of Binaryen 108 or newer is not there, and packages need it", done.stderr)
        self.assertIn("apt-get install binaryen", done.stderr)

    def test_packages_are_built_with_it(self):
        command = ["make", "--dry-run", "package"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertIn("GATEHOUSE_WASM_OPT=${GATEHOUSE_WASM_OPT:-yes}", told)


if __name__ == "__main__":
    unittest.main()
