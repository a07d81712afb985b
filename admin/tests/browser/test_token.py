"""Tokens, and pages of other sites."""

import http.server
import threading

from bed import ADMIN_TOKEN, GATEWAY_TOKEN, PageTest, expect


class Token(PageTest):
    tokens = True

    def enter(self, token):
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Open").click()

    def test_a_wrong_token_is_refused_and_the_admins_opens_everything(self):
        page = self.open("sessions")
        expect(page.get_by_role("alert")).to_have_count(0)
        self.enter("wrong")
        expect(page.get_by_role("alert")).to_have_text("The service does not accept this token.")
        expect(page.get_by_label("Token")).to_have_value("")
        self.enter(ADMIN_TOKEN)
        expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
        expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_count(7)

    def test_a_token_is_nowhere_but_in_the_memory_of_the_page(self):
        page = self.open()
        self.enter(ADMIN_TOKEN)
        expect(page.get_by_role("heading", level=1)).to_have_text("Consumers")
        kept = page.evaluate("JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, history.state])")
        self.assertNotIn(ADMIN_TOKEN, kept + page.content())
        self.assertEqual(self.contexts[0].cookies(), [])
        page.reload()
        expect(page.get_by_label("Token")).to_be_visible()
        self.enter(ADMIN_TOKEN)
        page.get_by_role("button", name="Forget the token").click()
        expect(page.get_by_label("Token")).to_be_visible()
        self.assertNotIn(ADMIN_TOKEN, "".join(self.service.log))

    def test_the_gateways_token_only_looks(self):
        consumer = self.service.consumer("fiona")
        self.service.send("POST", f"/consumers/{consumer}/appids", {"appid": "Portal"})
        sent = []
        self.page.on("request", lambda request: sent.append(request.method))
        page = self.open(f"consumers/{consumer}")
        self.enter(GATEWAY_TOKEN)
        expect(page.get_by_text("This token may only look.")).to_be_visible()
        links = page.get_by_role("navigation", name="Main").get_by_role("link")
        expect(links).to_have_text(["App IDs", "Changes", "Gateways", "Service"])
        page.get_by_label("Exact name or id").fill("fiona")
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("rowheader")).to_have_text(["Portal"])
        for name, shown in [("Changes", "consumer, create"), ("Gateways", "No gateway has asked"), ("Service", "sqlite, reachable")]:
            page.get_by_role("link", name=name).click()
            expect(page.get_by_text(shown).first).to_be_visible()
            expect(page.get_by_role("alert")).to_have_count(0)
        self.assertEqual(set(sent), {"GET"})


FOREIGN = """<!doctype html><title>Foreign</title>
<form method="post" action="{origin}/consumers"><input name="username" value="forged"></form>
<img src="{origin}/status"><iframe src="{origin}/ui"></iframe>
<script>
const kinds = ["text/plain", "application/x-www-form-urlencoded"];
const simple = kinds.map((kind) => fetch("{origin}/consumers",
  {{ method: "POST", mode: "no-cors", headers: {{ "content-type": kind }}, body: "username=forged" }}));
const other = [fetch("{origin}/consumers/forged", {{ method: "PUT" }}), fetch("{origin}/status")];
Promise.allSettled([...simple, ...other]).then((all) => {{
  document.title = all.slice(2).every((it) => it.status === "rejected") ? "Refused" : "Let in";
  document.forms[0].submit();
}});
</script>"""


class ForeignPage(PageTest):
    def hear(self, message):
        """The browser tells of each thing that it keeps the foreign page from doing."""

    def see(self, request):
        """The foreign page has an address of its own."""

    def test_a_page_of_another_site_can_neither_read_nor_write(self):
        origin = self.service.origin

        class Foreign(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(FOREIGN.format(origin=origin).encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        titles = []
        page = self.new_page()
        page.on("request", lambda request: titles.append(request.method))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        # The form is sent last, and its answer takes the place of the page.
        page.wait_for_url(f"{origin}/consumers")
        self.assertIn("no other origin", page.content())
        self.assertGreaterEqual(titles.count("POST"), 3)
        self.assertEqual(self.service.usernames(), [])
        page.close()
        self.open()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Consumers")
