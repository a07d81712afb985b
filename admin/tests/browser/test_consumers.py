"""Consumers and what they own, as a person handles them with a mouse."""

import hashlib

from bed import PageTest, expect

HOSTILE = ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "${alert(1)}", "javascript:alert(1)", "a/../b?c#d"]


class Consumers(PageTest):
    def test_a_person_creates_a_consumer_and_deletes_it(self):
        page = self.open()
        expect(page.get_by_text("There are no consumers yet.")).to_be_visible()
        page.get_by_text("New consumer").click()
        page.get_by_label("Username", exact=True).fill("fiona")
        page.get_by_role("button", name="Create consumer").click()
        expect(page.get_by_role("heading", name="Consumer fiona")).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Consumer fiona was created.")
        self.assertEqual(self.service.usernames(), ["fiona"])

        page.get_by_role("button", name="Delete consumer").click()
        self.agree("Cancel")
        self.assertEqual(self.service.usernames(), ["fiona"])
        page.get_by_role("button", name="Delete consumer").click()
        self.agree("Delete consumer")
        expect(page.get_by_role("status")).to_have_text("Consumer fiona was deleted.")
        expect(page.get_by_text("There are no consumers yet.")).to_be_visible()
        self.assertEqual(self.service.usernames(), [])

    def test_a_name_that_is_taken_is_told(self):
        self.service.consumer("fiona")
        page = self.open()
        page.get_by_text("New consumer").click()
        page.get_by_label("Username", exact=True).fill("fiona")
        page.get_by_role("button", name="Create consumer").click()
        expect(page.get_by_role("alert")).to_contain_text("already exists")

    def test_a_search_finds_the_beginning_of_a_name_and_a_whole_id(self):
        found = self.service.consumer("Fiona", custom_id="c-9")
        for name in ["finn", "ana"]:
            self.service.consumer(name)
        page = self.open()
        rows = page.get_by_role("rowheader")
        expect(rows).to_have_text(["Fiona", "finn", "ana"])
        search = page.get_by_label("Begins with")
        search.fill("fi")
        expect(rows).to_have_text(["finn", "Fiona"])
        search.fill("nobody")
        expect(page.get_by_text("No consumer has a name that begins so.")).to_be_visible()
        page.get_by_label("Kind of name").select_option("Custom id")
        search.fill("C-")
        expect(rows).to_have_text(["Fiona"])
        search.fill(found)
        expect(rows).to_have_text(["Fiona"])

    def test_a_long_list_has_pages(self):
        for number in range(120):
            self.service.consumer(f"user-{number:03}")
        page = self.open()
        first = page.get_by_role("rowheader").first
        following, previous = (page.get_by_role("button", name=name) for name in ["Next", "Previous"])
        expect(first).to_have_text("user-000")
        expect(previous).to_be_disabled()
        following.click()
        expect(first).to_have_text("user-050")
        following.click()
        expect(first).to_have_text("user-100")
        expect(following).to_be_disabled()
        previous.click()
        expect(first).to_have_text("user-050")
        page.get_by_label("Begins with").fill("user-1")
        expect(page.get_by_role("rowheader")).to_have_count(20)

    def test_a_key_is_shown_once(self):
        consumer = self.service.consumer("fiona")
        page = self.open(f"consumers/{consumer}")
        page.get_by_role("button", name="Make a key").click()
        key = page.get_by_role("dialog").get_by_label("API key").input_value()
        self.agree("Done")
        digest = hashlib.sha256(key.encode()).hexdigest()
        self.assertEqual(self.service.send("GET", f"/identities/key-auth/{digest}")["consumer"]["username"], "fiona")
        keys = page.get_by_role("region", name="API keys").get_by_role("table")
        expect(keys).to_contain_text(digest[:12])
        self.assertNotIn(key, page.content())
        page.reload()
        expect(keys).to_contain_text(digest[:12])
        self.assertNotIn(key, page.content())
        page.get_by_role("button", name=f"Delete API key {digest[:12]}").click()
        self.agree("Delete")
        expect(keys).to_have_count(0)
        self.assertEqual(self.service.send("GET", f"/identities/key-auth/{digest}"), 404)
        self.assertNotIn(key, "".join(self.service.log))

    def test_the_secret_of_a_jwt_credential_is_shown_once(self):
        consumer = self.service.consumer("fiona")
        page = self.open(f"consumers/{consumer}")
        page.get_by_label("Key (empty: at random)").fill("issuer-1")
        page.get_by_role("button", name="Make a credential").click()
        secret = page.get_by_role("dialog").get_by_label("Secret").input_value()
        self.agree("Done")
        self.assertEqual(self.service.send("GET", "/jwts/issuer-1")["secret"], secret)
        expect(page.get_by_role("region", name="JWT credentials").get_by_role("table")).to_contain_text("issuer-1")
        self.assertNotIn(secret, page.content())
        page.get_by_label("Algorithm").select_option("RS256")
        page.get_by_role("button", name="Make a credential").click()
        expect(page.get_by_role("alert")).to_contain_text("rsa_public_key")
        page.get_by_role("button", name="Delete JWT credential issuer-1").click()
        self.agree("Delete")
        expect(page.get_by_role("region", name="JWT credentials").get_by_text("None.")).to_be_visible()

    def test_groups_and_app_ids_are_added_and_deleted(self):
        consumer = self.service.consumer("fiona")
        page = self.open(f"consumers/{consumer}")
        for label, value, action, one in [("Group", "gold", "Add group", "group"), ("App ID", "Portal", "Add App ID", "App ID")]:
            page.get_by_label(label, exact=True).fill(value)
            page.get_by_role("button", name=action).click()
            delete = page.get_by_role("button", name=f"Delete {one} {value}")
            expect(delete).to_be_visible()
            delete.click()
            self.agree("Cancel")
            expect(delete).to_be_visible()
            delete.click()
            self.agree("Delete")
            expect(delete).to_have_count(0)
        words = [f"{it['entity']} {it['operation']}" for it in self.service.send("GET", "/changes?since=1")["data"]]
        self.assertEqual(words, ["acls create", "acls delete", "appids create", "appids delete"])

    def test_hostile_names_are_shown_as_text(self):
        for name in HOSTILE:
            consumer = self.service.consumer(name, custom_id=name + " c", tags=[name])
            self.service.send("POST", f"/consumers/{consumer}/acls", {"group": name})
            self.service.send("POST", f"/consumers/{consumer}/jwt", {"key": name})
        page = self.open()
        for name in HOSTILE:
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(f"Consumer {name}")
            expect(page.get_by_role("rowheader", name=name, exact=True)).to_have_count(2)
            page.get_by_role("button", name=f"Delete group {name}").click()
            expect(page.get_by_role("dialog")).to_contain_text(name)
            self.agree("Delete")
            page.get_by_role("link", name="All consumers").click()
        page.get_by_role("link", name="Changes").click()
        for name in HOSTILE:
            expect(page.get_by_role("cell", name=name, exact=True).first).to_be_visible()
        self.assertEqual(page.locator("#app img, #app script").count(), 0)
