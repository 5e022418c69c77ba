"""Takes the pictures of the README and of docs/console.md from a demo that has just heard FEVER: `make pictures`."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUMS, QUIET
from tests.export_file import export, row
from tests.newcomer import Demo
from tests.servers import wait_until

FOLDER = Path(__file__).with_name("pictures")
DOCS = Path(__file__).parents[2] / "docs" / "pictures"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
OTIS, NELL = "+15035550121", "+15035550111"


def fever(demo: Demo) -> None:
    """Otis answers his check-in, and Nell is paged."""
    wait_until(lambda: "Checking in" in demo.inbox(OTIS)[-1], "Otis is asked")
    pages = len(demo.inbox(NELL))
    demo.text(OTIS, "FEVER 101.4 since last night")
    wait_until(lambda: len(demo.inbox(NELL)) > pages and "911" in demo.inbox(OTIS)[-1], "Nell is paged")


def board(page: Page, demo: Demo) -> None:
    """The console's board, once signed in."""
    sign_in(page, demo)
    page.get_by_text("FEVER 101.4 since last night").first.wait_for()


def phones(page: Page, demo: Demo) -> None:
    """Otis's phone beside the nurse's."""
    page.goto(f"http://127.0.0.1:{demo.port + 10}/?phone=%2B{OTIS[1:]}")
    page.get_by_text("FEVER 101.4 since last night").first.wait_for()


def sign_in(page: Page, demo: Demo) -> None:
    """The console, signed in."""
    page.goto(f"http://127.0.0.1:{demo.port}/")
    page.get_by_label("Work email").fill("demo@pharmko.example")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Board", exact=True).wait_for()


def pages_of(page: Page, demo: Demo) -> dict[str, str]:
    """Where each page is, by its name; found as a person finds it, by its links."""
    base = f"http://127.0.0.1:{demo.port}"
    page.goto(base)
    ticket = page.locator(".row-title a", has_text="Otis").first.get_attribute("href") or ""
    page.goto(base + ticket)
    patient = page.locator('.side a[href^="/patients/"]').first.get_attribute("href") or ""
    page.goto(base + patient)
    html = page.content()
    plan = re.search(r'href="(/patients/[^"]+/plans/[^"/]+)/order"', html)
    delivery = re.search(r'href="(/patients/[^"]+/deliveries/[0-9a-f-]{36})"', html)
    found = {
        "board": "/",
        "ticket": ticket,
        "patients": "/patients",
        "patient": patient,
        "enrol": "/patients/new",
        "rehearsal": f"{patient}/rehearsal",
        "calendar": "/calendar",
        "schedule": "/schedule",
        "messages": "/messages",
        "catalogue": "/messages/catalogue",
        "roster": "/roster",
        "reports": "/reports",
        "accreditation": "/reports/accreditation",
        "import": "/import",
        "account": "/account",
        "staff": "/staff",
    }
    if plan:
        found |= {"order": f"{plan[1]}/order", "checks": f"{plan[1]}/verify", "pause": f"{plan[1]}/pause"}
        found["new delivery"] = f"{plan[1]}/deliveries/new"
    if delivery:
        found["delivery"] = delivery[1]
    return found


def act(name: str, page: Page) -> None:
    """What makes a page worth a picture: a form that was sent, a question that was asked."""
    if name == "rehearsal":
        page.get_by_label("Their words").fill("FEVER 101.5 and shaking")
        page.get_by_role("button", name="See what would follow").click()
        page.get_by_text("Read as").wait_for()
    elif name == "pause":
        page.get_by_label("Why").fill("In hospital")
        page.get_by_role("button", name="See what changes").click()
        page.get_by_role("heading", name="What this does to the messages").wait_for()
    elif name == "import":
        file = export(row(1), row(2, phone="(212) 555"), row(3, ends_on="2020-01-01"))
        page.get_by_label("Drop a CSV file here").set_input_files(
            {"name": "export.csv", "mimeType": "text/csv", "buffer": file.replace(b"newyork", b"portland")}
        )
        page.get_by_role("button", name="Check the file").click()
        page.get_by_text("Checked: nothing is loaded yet").wait_for(timeout=30_000)
    elif name == "reports":
        page.locator("canvas").first.wait_for()


def every_page(browser: Browser, demo: Demo) -> None:
    """Each page on a desk, and the ones that are opened at night on a phone in the dark."""
    DOCS.mkdir(parents=True, exist_ok=True)
    looks: list[tuple[str, dict[str, Any]]] = [
        ("desk", {"viewport": DESK, "color_scheme": "light"}),
        ("phone", {"viewport": PHONE, "color_scheme": "dark"}),
    ]
    for look, options in looks:
        page = browser.new_page(reduced_motion="reduce", **options)
        page.goto(f"http://127.0.0.1:{demo.port}/signin")
        page.screenshot(path=DOCS / f"sign-in-{look}.jpg", type="jpeg", quality=80)
        sign_in(page, demo)
        for name, path in pages_of(page, demo).items():
            page.goto(f"http://127.0.0.1:{demo.port}{path}")
            act(name, page)
            page.wait_for_load_state("networkidle") if name == "reports" else None
            if page.locator("#live").count():
                page.get_by_text("Live · as of").wait_for()
            page.screenshot(path=DOCS / f"{name.replace(' ', '-')}-{look}.jpg", type="jpeg", quality=80)
        page.close()


def main() -> None:
    """Start a demo, let it happen, take all pictures, stop."""
    FOLDER.mkdir(exist_ok=True)
    chromium = next(found for name in CHROMIUMS if (found := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Demo(Path(folder) / "demo")
        demo.start()
        try:
            fever(demo)
            browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
            for name, show in (("console", board), ("phone", phones)):
                page = browser.new_page(viewport={"width": 1440, "height": 860})
                show(page, demo)
                page.screenshot(path=FOLDER / f"{name}.png")
            every_page(browser, demo)
            browser.close()
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
