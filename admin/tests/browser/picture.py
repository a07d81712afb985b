"""Makes the pictures of the page in docs/images, with data as an operator might have it.

`PYTHONPATH=admin/tests/browser GATEHOUSE_ADMIN=… GATEHOUSE_CHROMIUM=… python -m picture`. The hour
of the charts is made up, since nobody waits for it.
"""

import json
import math
import os
import time

from bed import Service
from playwright.sync_api import sync_playwright

NAMES = ["arghyam", "billing-batch", "courier-portal", "data-lake", "field-app", "kiosk", "ledger", "mobile-app", "partner-east", "partner-west"]


def hour(now, traffic, trouble):
    """Returns the counts of an hour, with a time of trouble in it."""
    for age in range(59, -1, -1):
        wave = 1 + 0.4 * math.sin(age / 9) + 0.1 * math.sin(age * 1.7)
        ill = trouble and 18 <= age <= 24
        hits = int(traffic * wave)
        counts = {"hits": hits, "stale": hits // 9 if ill else age % 3, "misses": hits // 40, "failures": 7 + age % 5 if ill else 0}
        yield {"minute": (now // 60 - age) * 60_000, **counts}


def gateways():
    now = int(time.time())
    filters = ["app_id", "cors", "key_auth", "rate_limiting"]
    for n, (address, traffic, behind, silent) in enumerate([("10.4.0.11", 950, 0, 1), ("10.4.0.12", 870, 1, 3)]):
        yield {
            "id": ["5f0c9f6d2b7e4a11", "e2914c07aa3d5b60"][n],
            "address": address,
            "version": "0.1.0",
            "filters": filters,
            "since": 41,
            "behind": behind,
            "seen_at": (now - silent) * 1000,
            "minutes": list(hour(now, traffic, n == 1)),
        }


def main():
    service = Service()
    for number, name in enumerate(NAMES):
        consumer = service.consumer(name, custom_id=f"crm-{4711 + number * 13}")
        service.send("POST", f"/consumers/{consumer}/acls", {"group": "partners"})
        service.send("POST", f"/consumers/{consumer}/key-auth", {})
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=os.environ["GATEHOUSE_CHROMIUM"])
        page = browser.new_page(viewport={"width": 1000, "height": 700}, locale="en-GB", timezone_id="UTC")
        page.goto(f"{service.origin}/ui")
        page.get_by_label("Begins with").fill("p")
        page.get_by_role("link", name="partner-east").wait_for()
        page.get_by_label("Begins with").fill("")
        page.get_by_role("link", name="arghyam").wait_for()
        page.screenshot(path="docs/images/ui.png")
        answer = json.dumps({"data": list(gateways()), "next": None, "seq": 41})
        page.route("**/gateways", lambda route: route.fulfill(body=answer, content_type="application/json"))
        page.get_by_role("link", name="Gateways").click()
        page.get_by_role("article").first.wait_for()
        page.screenshot(path="docs/images/ui-gateways.png")
        browser.close()
    service.stop()


if __name__ == "__main__":
    main()
