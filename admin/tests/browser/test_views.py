"""The other views: App IDs, sessions, rate limits, changes, gateways and the service."""

import hashlib
import time

from bed import PageTest, expect

OURS = {"User-Agent": "gatehouse"}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Views(PageTest):
    def test_app_ids_are_found_by_consumer_and_by_name(self):
        for name, app_ids in [("fiona", ["Portal", "Mobile"]), ("ana", ["Portal"])]:
            consumer = self.service.consumer(name)
            for app_id in app_ids:
                self.service.send("POST", f"/consumers/{consumer}/appids", {"appid": app_id})
        page = self.open("appids")
        field, find = page.get_by_label("Exact name or id"), page.get_by_role("button", name="Find")
        for by, text, found in [
            ("Consumer", "fiona", ["Portal", "Mobile"]),
            ("App ID", "Portal", ["Portal", "Portal"]),
            ("Consumer", "nobody", []),
            ("Consumer", "..", []),
        ]:
            page.get_by_label("Find by").select_option(by)
            field.fill(text)
            find.click()
            expect(page.get_by_role("rowheader")).to_have_text(found)

    def test_sessions_of_a_subject_are_ended(self):
        for name in ["one", "two", "three"]:
            metadata = [{"audience": "shop", "subject": "ana & bob"}]
            self.service.send("PUT", f"/sessions/{digest(name)}", {"data": "AA==", "ttl": 3600, "metadata": metadata})
        page = self.open("sessions")
        page.get_by_label("Subject").fill("ana & bob")
        page.get_by_role("button", name="Find").click()
        rows = page.get_by_role("rowheader")
        expect(rows).to_have_count(3)
        page.get_by_role("button", name=f"End session {digest('one')[:12]}").click()
        self.agree("End")
        expect(rows).to_have_count(2)
        self.assertEqual(self.service.send("GET", f"/sessions/{digest('one')}"), 404)
        page.get_by_role("button", name="End all").click()
        self.agree("Cancel")
        self.assertEqual(self.service.send("GET", f"/sessions/{digest('two')}")["data"], "AA==")
        page.get_by_role("button", name="End all").click()
        self.agree("End")
        expect(rows).to_have_count(0)
        for name in ["two", "three"]:
            self.assertEqual(self.service.send("GET", f"/sessions/{digest(name)}"), 404)

    def test_rate_limits_of_a_caller_are_shown(self):
        # The name under which gateways without a token count this consumer; see usage.rs.
        consumer = "89a41fef-3b40-4bb0-b5af-33da57a7ffcf"
        key = "de4a806ab102e2e74af6503517a29252:year"
        self.service.send("PUT", f"/consumers/{consumer}", {"username": "ana"})
        year = time.gmtime().tm_year
        start, end = (int(time.mktime((it, 1, 1, 0, 0, 0, 0, 1, 0))) - time.timezone for it in [year, year + 1])
        increment = {"key": key, "window_start": start, "window": end - start, "by": 1234}
        self.service.send("POST", "/counters", {"increments": [increment]})
        page = self.open("counters")
        page.get_by_label("Namespace").fill("orders")
        page.get_by_label("Whose").fill("ana")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("row", name="This year")).to_contain_text("1,234")
        page.get_by_label("Whose").fill("nobody")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("alert")).to_have_text("There is no such consumer.")

    def test_changes_appear_as_they_happen_and_pause(self):
        self.service.consumer("before")
        asked = []
        self.page.on("request", lambda request: asked.append(request.url))
        self.page.clock.install()
        page = self.open("changes")
        numbers = page.get_by_role("rowheader")
        expect(numbers).to_have_text(["1"])
        self.service.consumer("after")
        expect(numbers).to_have_text(["2", "1"])
        pause = page.get_by_role("button", name="Pause updates")
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        self.service.consumer("unseen")
        asked.clear()
        page.clock.run_for(60_000)
        self.assertEqual(asked, [])
        pause.click()
        page.clock.run_for(5_000)
        expect(numbers).to_have_text(["3", "2", "1"])
        self.service.stop()
        expect(page.get_by_role("alert")).to_have_text("The service cannot be reached.")
        self.service.start(self.service.address)
        # The database begins another epoch, so the list starts over.
        self.service.consumer("later")
        expect(numbers).to_have_text(["4", "3", "2", "1"])
        expect(page.get_by_role("alert")).to_have_count(0)

    def test_gateways_are_shown_with_charts_of_the_last_hour(self):
        page = self.open("gateways")
        expect(page.get_by_text("No gateway has asked this service")).to_be_visible()
        self.service.consumer("fiona")
        told = {**OURS, "gatehouse-node": "00000000000000ab 1.2.3 key_auth=1000/5/20/3 app_id=1/0/0/0"}
        self.service.send("GET", "/changes?since=0", headers=told)
        gateway = page.get_by_role("article")
        expect(gateway).to_contain_text("127.0.0.1 (00000000)")
        for text in ["1 change", "app_id, key_auth", "1.2.3"]:
            expect(gateway).to_contain_text(text)
        cache = "Cache in the last hour: 1,001 hits, 5 stale, 20 misses. At most 1,026 in a minute."
        expect(gateway.get_by_role("img", name=cache)).to_be_visible()
        expect(gateway.get_by_role("img", name="Failures in the last hour: 3 failed callouts.")).to_be_visible()

    def test_the_health_of_the_service_is_shown(self):
        self.service.consumer("fiona")
        page = self.open("service")
        expect(page.get_by_text("sqlite, reachable").first).to_be_visible()
        expect(page.get_by_role("row", name="consumers")).to_contain_text("1")

    def test_a_view_that_does_not_exist_is_the_first_one(self):
        for view in ["nonsense", "%ff", "../x"]:
            self.open(view)
            expect(self.page.get_by_role("heading", level=1)).to_have_text("Consumers")
        self.open("consumers/89a41fef-3b40-4bb0-b5af-33da57a7ffcf")
        expect(self.page.get_by_role("alert")).to_have_text("There is no such consumer.")
