"""Keyboards, narrow windows, dark mode, and barriers that axe-core finds."""

from axe_playwright_python.sync_playwright import Axe
from bed import PageTest, expect

VIEWS = ["consumers", "appids", "sessions", "counters", "changes", "gateways", "service"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Access(PageTest):
    def fill(self):
        """Stores something for every view, and returns the id of a consumer."""
        consumer = self.service.consumer("fiona" * 20, custom_id="c" * 200, tags=["t" * 100])
        for collection, body in [
            ("acls", {"group": "g" * 200}),
            ("appids", {"appid": "Portal" * 10}),
            ("key-auth", {}),
            ("jwt", {"key": "k" * 300}),
        ]:
            self.service.send("POST", f"/consumers/{consumer}/{collection}", body)
        told = {"User-Agent": "gatehouse", "gatehouse-node": "00000000000000ab 1.2.3 key_auth=1000/5/20/3"}
        self.service.send("GET", "/changes?since=0", headers=told)
        return consumer

    def barriers(self, page):
        found = Axe().run(page, options=RULES).response["violations"]
        return [f"{it['id']}: {node['html']} {node['failureSummary']}" for it in found for node in it["nodes"]]

    def test_no_view_has_a_barrier_in_light_or_dark(self):
        consumer = self.fill()
        for scheme in ["light", "dark"]:
            page = self.new_page(color_scheme=scheme)
            backgrounds = set()
            for view in [*VIEWS, f"consumers/{consumer}"]:
                self.open(view, page)
                self.settled(page)
                self.assertEqual(self.barriers(page), [], f"{view}, {scheme}")
                backgrounds.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
            page.get_by_role("button", name="Delete consumer").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            self.assertEqual(self.barriers(page), [], f"dialog, {scheme}")
            [background] = backgrounds
            bright = int(background.strip("rgb()").split(",")[0]) > 128
            self.assertEqual(bright, scheme == "light", background)

    def test_axe_would_find_a_barrier(self):
        page = self.open()
        page.evaluate("document.querySelector('#app').append(document.createElement('input'))")
        self.assertTrue(any(it.startswith("label:") for it in self.barriers(page)))

    def test_a_violation_of_the_policy_would_be_noticed(self):
        page = self.open()
        page.evaluate("document.body.append(Object.assign(new Image(), { src: 'https://example.invalid/x.png' }))")
        page.wait_for_function("violations.length > 0")
        self.assertIn("img-src https://example.invalid", page.evaluate("violations.splice(0).join()"))
        # The browser's console tells of it too.
        self.assertTrue(any("example.invalid" in problem for problem in self.problems), self.problems)
        self.problems.clear()

    def test_a_phone_shows_every_view_without_scrolling_sideways(self):
        consumer = self.fill()
        page = self.new_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
        for view in [*VIEWS, f"consumers/{consumer}"]:
            self.open(view, page)
            self.settled(page)
            width = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(width, 360, view)
        page.get_by_role("button", name="Delete consumer").tap()
        box = page.get_by_role("dialog").get_by_role("article").bounding_box()
        self.assertGreaterEqual(box["x"], 0)
        self.assertLessEqual(box["x"] + box["width"], 360)

    def tab_to(self, **wanted):
        """Presses Tab until the wanted element has the focus, which everybody must see."""
        target = self.page.get_by_role(**wanted)
        expect(target).to_be_visible()
        for _ in range(60):
            if target.evaluate("(element) => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        self.fail(f"Tab does not lead to {wanted}")

    def test_a_keyboard_is_enough(self):
        page = self.open()
        press = page.keyboard.press
        self.tab_to(role="link", name="Skip to content")
        press("Enter")
        self.assertEqual(page.evaluate("document.activeElement.id"), "main")
        self.tab_to(role="button", name="New consumer")
        press("Enter")
        self.tab_to(role="textbox", name="Username")
        page.keyboard.type("fiona")
        press("Enter")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Consumer fiona")
        # Another view has opened, and a screen reader begins at its heading.
        expect(heading).to_be_focused()

        self.tab_to(role="textbox", name="Group")
        page.keyboard.type("gold")
        press("Enter")
        self.tab_to(role="button", name="Delete group gold")
        press("Enter")
        dialog = page.get_by_role("dialog")
        # The harmless answer has the focus, and Escape is one too.
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name="Delete group gold")).to_be_focused()
        press("Enter")
        for _ in range(2):
            press("Tab")
            inside = dialog.evaluate("(element) => element.contains(document.activeElement) || document.activeElement === document.body")
            self.assertTrue(inside, "the focus stays in the dialog")
        self.tab_to(role="button", name="Delete", exact=True)
        press("Enter")
        expect(page.get_by_role("heading", name="Groups")).to_be_focused()
        self.assertEqual(self.service.send("GET", "/acls")["data"], [])
