"""What the tests of the page need: a running service, and a page in Chromium that tells of every
problem.

As a program, it runs the tests that its arguments name, or all of them.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

ADMIN_TOKEN = "admin-token-of-thirty-two-letters-or-more"
GATEWAY_TOKEN = "gateway-token-of-thirty-two-letters-or-more"

# A test waits for an effect, as long as a busy machine may take.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

# Every violation of the Content-Security-Policy, as the browser tells the page of it.
WATCH = "window.violations = []; addEventListener('securitypolicyviolation', (event) => violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"


class Service:
    """A gatehouse-admin with an empty database on a free port."""

    def __init__(self, tokens=False):
        self.folder = tempfile.TemporaryDirectory()
        self.flags = ["--database-url", f"sqlite:{self.folder.name}/gatehouse.db", "--log-level", "debug"]
        if tokens:
            for name, token in [("admin", ADMIN_TOKEN), ("gateway", GATEWAY_TOKEN)]:
                file = Path(self.folder.name) / name
                file.write_text(token)
                self.flags += [f"--{name}-token-file", str(file)]
        self.token = ADMIN_TOKEN if tokens else None
        self.log = []
        self.start("127.0.0.1:0")

    def start(self, listen):
        command = [os.environ["GATEHOUSE_ADMIN"], "serve", "--listen", listen, *self.flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={})
        for line in self.process.stdout:
            told = json.loads(line)
            if told.get("message") == "listening":
                self.address = told["address"]
                break
        else:
            raise AssertionError("the service does not start")
        threading.Thread(target=self.log.extend, args=[self.process.stdout], daemon=True).start()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def origin(self):
        return f"http://{self.address}"

    def send(self, method, path, body=None, headers=None):
        """Returns the JSON of the answer, or its status if it is an error."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.origin + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code

    def consumer(self, username, **more):
        """Creates a consumer, and returns its id."""
        return self.send("POST", "/consumers", {"username": username, **more})["id"]

    def usernames(self):
        return [it["username"] for it in self.send("GET", "/consumers")["data"]]


class PageTest(unittest.TestCase):
    """A test with a service and a page of its own. It fails if the page breaks a rule."""

    tokens = False
    browser = None

    def setUp(self):
        self.service = Service(self.tokens)
        self.addCleanup(self.service.folder.cleanup)
        self.addCleanup(self.service.stop)
        self.addCleanup(self.tell)
        self.problems = []
        self.under_way = set()
        self.contexts = []
        self.page = self.new_page()

    def tearDown(self):
        for context in self.contexts:
            for page in context.pages:
                self.problems += page.evaluate("window.violations ?? []")
            context.close()
        self.assertEqual(self.problems, [])

    def tell(self):
        """Prints what the service itself could not do, which may explain a failure."""
        print("".join(line for line in self.service.log if '"level":"ERROR"' in line), end="", file=sys.stderr)

    def new_page(self, **options):
        """Returns a page in a browser of its own, as of another person."""
        context = PageTest.browser.new_context(locale="en-GB", timezone_id="UTC", **options)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(WATCH)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("console", self.hear)
        page.on("request", self.see)
        page.on("request", lambda request: self.under_way.add(request))
        page.on("requestfinished", lambda request: self.under_way.discard(request))
        page.on("requestfailed", lambda request: self.under_way.discard(request))
        return page

    def hear(self, message):
        # The browser tells of every answer that is no success; the page tells the person.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console: {message.text}")

    def see(self, request):
        if not request.url.startswith((self.service.origin, "data:")):
            self.problems.append(f"request: {request.url}")

    def open(self, view="", page=None):
        """Opens a view, which is named as in the address, and waits for it."""
        page = page or self.page
        page.goto(f"{self.service.origin}/ui#/{view}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        return page

    def settled(self, page):
        """Waits until the view that is open has all that it asked for."""
        expect(page.get_by_text("Loading", exact=True)).to_have_count(0)
        quiet = 0
        # An answer may lead to the next question at once, but not later.
        while quiet < 2:
            page.evaluate("new Promise((resolve) => setTimeout(resolve))")
            quiet = 0 if self.under_way else quiet + 1

    def agree(self, action):
        """Agrees in the dialog that is open, and waits until it has closed."""
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name=action, exact=True).click()
        expect(dialog).to_have_count(0)


def main():
    folder = Path(__file__).parent
    names = sys.argv[1:] or [path.stem for path in sorted(folder.glob("test_*.py"))]
    # A class of tests is that of the module that they run in, not of this program.
    import bed

    with sync_playwright() as driver:
        bed.PageTest.browser = driver.chromium.launch(executable_path=os.environ["GATEHOUSE_CHROMIUM"])
        result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromNames(names))
        bed.PageTest.browser.close()
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    # The last line is that of cargo's tests, which scripts/test adds up.
    print(f"test result: {'FAILED' if failed or not passed else 'ok'}. {passed} passed; {failed} failed; {len(result.skipped)} ignored;")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
