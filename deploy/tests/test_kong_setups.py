"""The files in deploy/kong/setups: the set-ups of the plugins' documents with filters."""

import subprocess
import unittest

from package.tests.registry import free_port

from . import told
from .files import DEPLOY
from .running import KONG, Running, settings_of_kong

FILES = {path.stem: path for path in sorted((DEPLOY / "kong/setups").iterdir())}


@unittest.skipUnless(KONG, "there is no Kong 3.9 (README.md, Versions)")
class Setups(Running):
    def follow(self, name):
        """Starts a Kong with a file, and sends the requests in its comments."""
        told.start_admin(self)
        text = FILES[name].read_text()
        moved = text.replace("127.0.0.1:8001", f"127.0.0.1:{self.admin}")
        # Nobody listens there.
        moved = moved.replace("https://api.moesif.net", f"http://127.0.0.1:{free_port()}")
        here = settings_of_kong() | told.ENVIRONMENT | {"KONG_DATABASE": "off"}
        self.start_kong(moved, [("127.0.0.1:8002", f"127.0.0.1:{self.upstream}")], here)
        told.follow(self, text)

    def test_the_session_documents_requests_have_its_answers(self):
        self.follow("session")

    def test_the_requests_of_the_article_about_auth0_have_its_answers(self):
        self.follow("auth0")

    def test_the_app_id_documents_requests_have_its_answers(self):
        self.follow("app-id")

    def test_the_requests_of_the_upstream_jwt_document_have_its_answers(self):
        self.follow("upstream-jwt")

    def test_requests_are_served_while_moesif_is_away(self):
        self.follow("moesif")


class Settings(unittest.TestCase):
    def test_every_file_is_started_and_every_filter_takes_its_settings(self):
        self.assertEqual(FILES.keys(), {"session", "auth0", "app-id", "upstream-jwt", "moesif"})
        command = ["dist/gatehouse-admin", "check-config", "--env", *FILES.values()]
        found = subprocess.run(command, env=told.ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual((found.returncode, found.stdout.count(" 0 errors, 0 warnings")), (0, len(FILES)), found.stdout)


if __name__ == "__main__":
    unittest.main()
