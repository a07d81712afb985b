"""The file for each filter in envoy-config/filters, on a real Envoy: the answers to its `curl` lines."""

import re
import unittest
from pathlib import Path

from package.tests.registry import free_port

from . import told
from .running import Running

FOLDER = Path("envoy-config/filters")


class Filters(Running):
    def test_each_filter_has_a_file(self):
        filters = {path.stem.removeprefix("gatehouse_") for path in Path("dist/filters").glob("*.wasm")}
        self.assertEqual({path.stem for path in FOLDER.iterdir()}, filters)

    def test_each_file_gives_the_answers_that_it_tells(self):
        told.start_admin(self)
        for path in sorted(FOLDER.iterdir()):
            with self.subTest(path=path):
                self.follow(path.read_text())

    def follow(self, text):
        """Starts an Envoy with a file, and sends the requests in its comments."""
        self.port = free_port()
        moved = text
        for before, after in {
            "8000": self.port,
            "8001": self.admin,
            "8002": self.upstream,
            # Nobody listens there.
            "443": free_port(),
        }.items():
            moved = moved.replace(f"port_value: {before} ", f"port_value: {after} ")
        moved = re.sub(r"filename: (\S+\.wasm)", r"filename: dist/\1", moved).replace("api.moesif.net,", "localhost,")
        envoy = self.start_envoy(moved, [], told.ENVIRONMENT, "/")
        told.follow(self, text)
        envoy.kill()
        envoy.wait()


if __name__ == "__main__":
    unittest.main()
